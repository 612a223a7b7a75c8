"""What would be lost with a file, though the pixels of the one that stays are the same."""

from __future__ import annotations

from collections.abc import Iterator

from image_similarity_search.duplicates import Holdings

_NOTES = ("taken", "camera", "place", "more", "deep")
_SECONDS = 19  # letters of a time without parts of a second


def what_differs(one: Holdings, other: Holdings) -> str:
    """Why two files are changed copies of one another at best, in words; or empty."""
    if one.raw or other.raw:
        return "RAW"
    if one.frames != other.frames:
        return "other frames"
    if one.film != other.film:
        return "other film"
    if one.taken and other.taken and _at_another_time(one.taken, other.taken):
        return "other time"
    return ""


def lost_with(gone: Holdings, kept: Holdings) -> Iterator[str]:
    """What a file holds that one of the same pixels, or nearly, does not, in words."""
    if gone.raw:
        yield "RAW data"
    if gone.frames > kept.frames:
        yield "more frames"
    if gone.film not in (0, kept.film):
        yield "a video"
    if gone.more and not kept.more:
        yield "pictures after the first"
    if gone.taken and not kept.taken:
        yield "the time taken"
    if gone.camera and not kept.camera:
        yield "the camera"
    if gone.place and not kept.place:
        yield "the place"
    if gone.deep and not kept.deep:
        yield "more than 8 bits per colour"


def notes_lacking(file: Holdings) -> int:
    """How little a file says of itself: the fewer, the better."""
    return sum(not getattr(file, name) for name in _NOTES)


def _at_another_time(one: str, other: str) -> bool:
    """Whether two times differ; parts of a second count where both have them."""
    seconds = [text[:_SECONDS] for text in (one, other)]
    parts = [text[_SECONDS + 1 :].rstrip("0") for text in (one, other)]
    has_parts = len(one) > _SECONDS < len(other)
    return seconds[0] != seconds[1] or (has_parts and parts[0] != parts[1])

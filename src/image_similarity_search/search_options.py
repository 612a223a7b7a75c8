"""What else a search is to do than find the nearest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from image_similarity_search.arguments import listed
from image_similarity_search.errors import ConfigError
from image_similarity_search.types import checked_count, checked_number

DIVERSE = 0.5
"""How much being unlike the other hits counts, where it is only said that it shall."""

LESS = 0.5
"""How much a picture to be less like counts, beside one to be like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What else a search is to do; by default nothing.

    Attributes:
        mirrored: find what is like the mirrored picture, too. Of all the ways in which a picture
            is searched by, the best score of an image counts.
        turned: find what is like the picture turned by 90, 180 and 270 degrees, too.
        exclude_same_folder: leave out images of the very folders that the pictures to be like
            lie in.
        diverse: 0.0 to 1.0: of many images that are alike, take some that are unlike one another
            (maximal marginal relevance); the share that being unlike counts. 0 is off.
        fold: show hits that are copies of a better one, mirrored or turned ones too, with it.
        liked: ids of images of the collection that are what was meant (thumbs up): what is searched
            for is moved towards them. They stay in the answer.
        disliked: ids of those that are not (thumbs down): it is moved away from them, by less, and
            they are left out.

    Raises:
        ConfigError: ``diverse`` is no number from 0 to 1, or something is liked that is no id, or
            both liked and disliked.
    """

    mirrored: bool = False
    turned: bool = False
    exclude_same_folder: bool = False
    diverse: float = 0.0
    fold: bool = False
    liked: Sequence[int] = ()
    disliked: Sequence[int] = ()

    def __post_init__(self) -> None:
        """Check the values."""
        diverse = checked_number("diverse", self.diverse, 0, 1, "a number from 0 to 1")
        object.__setattr__(self, "diverse", diverse)
        for name in ("liked", "disliked"):
            object.__setattr__(self, name, _ids(name, getattr(self, name)))
        both = sorted(set(self.liked).intersection(self.disliked))
        if both:
            raise ConfigError("disliked", both[0], "images that are not liked as well")

    @property
    def ways(self) -> tuple[tuple[bool, int], ...]:
        """In which ways a picture is seen: mirrored or not, and quarter turns; upright first."""
        turns = (0, 1, 2, 3) if self.turned else (0,)
        mirrors = (False, True) if self.mirrored else (False,)
        return tuple((mirror, turn) for mirror in mirrors for turn in turns)

    @property
    def arranges(self) -> bool:
        """Whether it takes more hits than are wanted to choose among."""
        return bool(self.diverse) or self.fold


def _ids(name: str, given: object) -> tuple[int, ...]:
    expected = "the ids of images"
    ids = {checked_count(name, id_, expected, least=0) for id_ in listed(name, given, expected)}
    return tuple(sorted(ids))


PLAIN = SearchOptions()
"""The nearest, and nothing else."""

"""Options of a search beyond finding the nearest images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from image_similarity_search.arguments import listed
from image_similarity_search.errors import ConfigError
from image_similarity_search.types import checked_count, checked_number

DIVERSE = 0.5
"""The weight of ``diverse`` where it is only switched on."""

LESS = 0.5
"""How much a picture to be less like counts, beside one to be like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """Options of a search beyond finding the nearest images; all are off by default.

    Attributes:
        mirrored: also search with the mirrored picture; an image gets its best score over all
            orientations.
        turned: also search with the picture rotated by 90, 180 and 270 degrees; likewise.
        exclude_same_folder: leave out images from the folders of the query pictures.
        diverse: 0.0 to 1.0: prefer hits that differ from each other (maximal marginal relevance);
            the weight of the difference. 0.0 is off.
        fold: group hits that are copies of a better one, also mirrored or rotated ones, under it.
        liked: ids of relevant images: the query moves towards their mean (Rocchio feedback). They
            stay in the results.
        disliked: ids of images that are not relevant: the query moves away from them, by less, and
            they are left out of the results.

    Raises:
        ConfigError: ``diverse`` is not a number from 0 to 1, ``liked`` or ``disliked`` has
            something that is not an id, or an id is in both.
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
            raise ConfigError("disliked", both[0], "images that are not also liked")

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

"""Images whose file is not where it was: by their content, so that it is known when it turns up."""

from __future__ import annotations

import os
from collections import defaultdict

from image_similarity_search.catalog.values import Known

_COPIES_LOOKED_AT = 16  # for one of the same name; there may be thousands


class MissingFiles:
    """What a scan found gone or replaced.

    Attributes:
        sizes: of the files that are gone, in bytes: one that turns up has one of these.
        to_forget: the ids whose file is gone for good unless it turns up.
        bad_turned_up: whether a bad file of these turned up.
        seen: where the images had been, by id: folder and name.
        aliases: by id, the path by which a file counts that a link still leads to.
    """

    def __init__(self) -> None:
        self.sizes: set[int] = set()
        self.to_forget: set[int] = set()
        self.bad_turned_up = False
        self.seen: dict[int, tuple[int, bytes]] = {}
        self.aliases: dict[int, str] = {}
        self._kept: set[int] = set()
        self._gone: defaultdict[str, list[int]] = defaultdict(list)
        self._away: defaultdict[str, list[int]] = defaultdict(list)
        self._replaced: defaultdict[str, list[int]] = defaultdict(list)
        self._bad: defaultdict[str, list[int]] = defaultdict(list)

    def add_gone(self, known: Known, *, forget: bool = True) -> None:
        """Nothing is at this image's place any more; ``forget`` it if it doesn't turn up."""
        self.sizes.add(known.stat.size)
        self.seen[known.id] = known.place
        if forget:
            self.to_forget.add(known.id)
        if known.content_hash:
            (self._bad if known.skipped else self._gone)[known.content_hash].append(known.id)

    def add_away(self, known: Known) -> None:
        """The disk that this image's file is on is not there."""
        self.sizes.add(known.stat.size)
        self.seen[known.id] = known.place
        if known.content_hash and not known.skipped:
            self._away[known.content_hash].append(known.id)

    def add_displaced(self, id_: int, content_hash: str | None, place: tuple[int, bytes]) -> None:
        """Another image has taken this one's place; it has ``place`` until it is found."""
        self.to_forget.add(id_)
        self.seen[id_] = place
        if content_hash:
            self._gone[content_hash].append(id_)

    def add_alias(self, id_: int, counted_as: str) -> None:
        """What is at this image's place is a link that does not count, for its file does."""
        self.aliases[id_] = counted_as

    def add_replaced(self, known: Known) -> None:
        """Another file, or the same but touched, is at this image's place."""
        self.seen[known.id] = known.place
        if known.content_hash and not known.skipped:
            self._replaced[known.content_hash].append(known.id)

    @property
    def contents(self) -> set[str]:
        """The contents of all these, whether they turned up or not."""
        return {*self._gone, *self._replaced}

    def keep(self, id_: int) -> None:
        """This image's file was only touched: it is where it was."""
        self._kept.add(id_)

    def take(
        self, content_hash: str, name: str, *, replaced: bool, on_disk: bool = False
    ) -> int | None:
        """An image of this content whose file is gone, or may have been ``replaced``.

        Or it was on a disk that is away, where this one is ``on_disk``, which may be the same.

        One whose file had this name, too, if there is such a one among the last few: of copies
        that are moved together, each keeps what is known of it. It is given out once, and will
        not be forgotten.
        """
        other = [self._replaced] * replaced + [self._away] * on_disk
        for images in [self._gone, *other]:
            ids = images.get(content_hash, [])
            while ids:
                id_ = ids.pop(self._place_of_one_called(os.fsencode(name), ids))
                if id_ not in self._kept:
                    self.to_forget.discard(id_)
                    return id_
        return None

    def _place_of_one_called(self, name: bytes, ids: list[int]) -> int:
        last = range(-1, -1 - min(len(ids), _COPIES_LOOKED_AT), -1)
        return next((at for at in last if self.seen[ids[at]][1] == name), -1)

    def take_bad(self, content_hash: str | None) -> int | None:
        """A bad file of this content that is gone; given out once, and not forgotten."""
        if content_hash is None or not self._bad.get(content_hash):
            return None
        id_ = self._bad[content_hash].pop()
        self.to_forget.discard(id_)
        self.bad_turned_up = True
        return id_

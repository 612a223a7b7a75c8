"""Folders of pictures by their names: the paths of the machine stay inside."""

from __future__ import annotations

import os
from collections.abc import Iterable

from image_similarity_search.addresses import is_address
from image_similarity_search.catalog.places import relative
from image_similarity_search.errors import ConfigError, FolderNotFoundError


class Roots:
    """The indexed folders of a collection, each by the last part of its path.

    Where two are called alike, the later one (by path) gets a number.
    """

    def __init__(self, folders: Iterable[str]) -> None:
        self.by_name: dict[str, str] = {}
        for folder in sorted(folders):
            base = text_of(os.path.basename(folder)) or "root"
            name, number = base, 2
            while name in self.by_name:
                name, number = f"{base}-{number}", number + 1
            self.by_name[name] = folder

    def shown(self, path: str) -> tuple[str | None, str]:
        """The name of the root that a path lies in, and the path within it.

        Outside of all roots: None, and the file's name alone.
        """
        for name, folder in self.by_name.items():
            if inner := relative(path, folder):
                return name, text_of(inner)
        return None, text_of(os.path.basename(path))

    def holds(self, path: str) -> str | None:
        """The folder of the root that the absolute path lies below, if one does."""
        folders = self.by_name.values()
        return next((folder for folder in folders if relative(path, folder)), None)

    def folder(self, name: str) -> str:
        """The folder of a root.

        Raises:
            FolderNotFoundError: no root is called so.
        """
        if name not in self.by_name:
            known = ", ".join(self.by_name) or "none"
            raise FolderNotFoundError(name, f"no indexed folder has this name; known are: {known}")
        return self.by_name[name]

    def without_folders(self, text: str) -> str:
        """A message in which the folders of roots are their names; others are left out."""
        for name, folder in self.by_name.items():
            text = text.replace(folder, name)
        elsewhere = text.startswith(os.sep) or is_address(text)
        return "a folder" if elsewhere else text_of(text)


def inside(root: str, path: str) -> str:
    """The absolute path of a relative one, which stays below ``root`` whatever it says.

    Raises:
        ConfigError: it is no plain relative path, or has a hidden part.
    """
    parts = path.split("/")
    for part in parts:
        forbidden = any(ord(character) < 32 or character in '\\:*?"<>|\x7f' for character in part)
        if not part or part.startswith(".") or part.endswith((".", " ")) or forbidden:
            expected = "a path such as folder/picture.jpg: relative, and with no hidden part"
            raise ConfigError("path", path, expected)
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise ConfigError("path", path, "a valid file name") from None
    return "/".join([root, *parts]) if is_address(root) else os.path.join(root, *parts)


def text_of(path: str) -> str:
    """A path as text that can be sent; bytes that are no text are replaced."""
    return os.fsencode(path).decode("utf-8", "replace")

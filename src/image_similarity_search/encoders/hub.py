"""Files of the Hugging Face hub: fetched once by its own client, checked, and kept in its cache.

Where the hub is (``HF_ENDPOINT``), where its cache is (``HF_HOME``, ``HF_HUB_CACHE``) and whether
it may be asked at all (``HF_HUB_OFFLINE``) is the client's business.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from dataclasses import dataclass

from image_similarity_search.errors import EncoderUnavailableError

_SECONDS = 5.0  # for the hub to answer at all; then the client's own patience counts
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of a repository of the hub.

    Attributes:
        repo: ``owner/name``.
        path: of the file in it.
        size: bytes; 0 where it is not known.
        revision: the commit; a branch where none is known.
        sha256: of its content, in hex; None where it is not known, and what the hub says counts.
    """

    repo: str
    path: str
    size: int
    revision: str = "main"
    sha256: str | None = None


def cached(file: HubFile) -> str | None:
    """The path of a file in the cache, or None when it has not been fetched."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(file.repo, file.path, revision=file.revision)
    return found if isinstance(found, str) else None


def fetched(file: HubFile, name: str, remedy: str) -> tuple[str, str]:
    """The path of a file in the cache, fetched when it is not there, and its SHA-256 in hex.

    Raises:
        EncoderUnavailableError: for the encoder ``name``, saying ``remedy``: the file can't be
            fetched, or is not the one that is expected. A wrong one is removed.
    """
    if path := cached(file):
        return path, _checked(path, file.sha256, name, remedy)
    from huggingface_hub import hf_hub_download

    try:
        # asked first, and once: the client itself goes on trying for minutes
        promised = _promised_hash(file)
        path = hf_hub_download(file.repo, file.path, revision=file.revision, etag_timeout=_SECONDS)
    except Exception as error:  # of the client, of its HTTP library, of the system
        raise _not_to_be_had(file, name, remedy, error) from error
    return path, _checked(path, file.sha256 or promised, name, remedy)


def require_answer(file: HubFile, name: str, remedy: str) -> None:
    """Make sure that a file is in the cache, or that the hub answers when it is asked for it.

    For other programs that fetch it, and would try for minutes where there is no network.

    Raises:
        EncoderUnavailableError: for the encoder ``name``, saying ``remedy``.
    """
    from huggingface_hub.errors import EntryNotFoundError

    if cached(file):
        return
    try:
        _promised_hash(file)
    except EntryNotFoundError:
        return  # that is an answer: the file may have another name
    except Exception as error:  # of the client, of its HTTP library, of the system
        raise _not_to_be_had(file, name, remedy, error) from error


def _promised_hash(file: HubFile) -> str | None:
    """What the hub says of a file's SHA-256; None where it says nothing."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(file.repo, file.path, revision=file.revision)
    etag = get_hf_file_metadata(url, timeout=_SECONDS).etag
    return etag if etag and _SHA256.fullmatch(etag) else None


def _not_to_be_had(
    file: HubFile, name: str, remedy: str, error: Exception
) -> EncoderUnavailableError:
    lines = str(error).strip().splitlines()
    why = f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"
    size = f", {file.size / 1e6:,.0f} MB" if file.size else ""
    what = f"{file.path} of {file.repo}{size}"
    problem = f"its weights ({what}) are not on this machine and can't be fetched ({why})"
    return EncoderUnavailableError(name, problem, remedy)


def _checked(path: str, expected: str | None, name: str, remedy: str) -> str:
    """The SHA-256 of a file, which is removed where it is another than ``expected``."""
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if expected is not None and found != expected:
        for place in {os.path.realpath(path), path}:  # in the cache one is a link to the other
            with contextlib.suppress(OSError):
                os.remove(place)
        raise EncoderUnavailableError(
            name,
            f"its weights in {path} are damaged: their SHA-256 is {found}, expected {expected}."
            " They were removed",
            f"Try again to download them. {remedy}",
        )
    return found

"""What went wrong with object storage, in our words.

Never in those of a library or a server: they may hold a key, a signed address, or the password of a
proxy.
"""

from __future__ import annotations

from typing import Any

from image_similarity_search.errors import (
    ImageError,
    ImageNotFoundError,
    ImageUnreadableError,
    SourceUnavailableError,
)

# of the access as a whole, not of one object
_ACCESS = {
    "AccountProblem",
    "AllAccessDisabled",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
}
_ARCHIVED = "InvalidObjectState"
_NO_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}
_UNREACHABLE = "can't be reached"


def problem_of(address: str, error: BaseException) -> ImageError:
    """The error of ours for one that came up when ``address`` was listed or read.

    ``SourceUnavailableError`` where it may be none of this object alone.
    """
    code = _code_of(error)
    if code in _ACCESS:
        return SourceUnavailableError(address, f"access is refused ({code})")
    if code == _ARCHIVED:
        return ImageUnreadableError(address, "archived: restore it before indexing")
    if code == "NoSuchBucket":
        return SourceUnavailableError(address, "there is no such bucket")
    if isinstance(error, FileNotFoundError):
        return ImageNotFoundError(address, "no such object")
    if isinstance(error, PermissionError):
        return ImageUnreadableError(address, "access denied")
    if type(error).__name__ in _NO_CREDENTIALS:
        return SourceUnavailableError(
            address, "no credentials were found in the environment (docs/object-storage.md)"
        )
    if isinstance(error, TimeoutError):
        return SourceUnavailableError(address, f"{_UNREACHABLE}: it does not answer")
    return SourceUnavailableError(address, f"{_UNREACHABLE} ({code or type(error).__name__})")


def _code_of(error: BaseException) -> str:
    """The code that an S3 server gave, such as ``NoSuchKey``; empty where it gave none."""
    for one in (error, error.__cause__):
        response: Any = getattr(one, "response", None)
        if isinstance(response, dict):
            code = response.get("Error", {}).get("Code", "")
            return code if isinstance(code, str) and code.isalnum() else ""
    return ""

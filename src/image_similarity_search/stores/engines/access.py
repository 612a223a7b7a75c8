"""What it takes to get into an engine: secrets, from the environment, kept nowhere else.

The one place below the faces that reads the environment: a secret that is passed from hand to
hand is sooner or later stored or logged by one of them.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field

from image_similarity_search.errors import StoreUnavailableError
from image_similarity_search.stores.engines.address import Address

TOKEN = "ISS_MILVUS_TOKEN"  # noqa: S105 - the name of a variable
HOST = "ISS_MILVUS_HOST"
CERTIFICATE = "ISS_MILVUS_CERTIFICATE"


@dataclass(frozen=True, slots=True)
class Access:
    """How to be let in.

    Attributes:
        token: ``NAME:PASSWORD`` or an API key; empty where the engine asks for none.
        certificate: a file with the certificate to trust (PEM); empty for those of the system.
    """

    token: str = field(default="", repr=False)
    certificate: str = ""

    def without_secrets(self, text: str) -> str:
        """``text`` with stars where a secret is."""
        name, _, password = self.token.rpartition(":")
        for secret in (self.token, password, name):
            if len(secret) > 2:
                text = text.replace(secret, "***")
        return text


def access(address: Address) -> Access:
    """As the environment says now, for the engine at ``address``.

    The address is one that a catalog names, perhaps somebody else's: a token is for the hosts
    that the environment names beside it, and for this computer.

    Raises:
        StoreUnavailableError: there is a token, and it is for other hosts.
    """
    token = os.environ.get(TOKEN, "")
    if token and address.host not in _hosts() and not _is_here(address.host):
        raise StoreUnavailableError(
            f"{address} is not given your {TOKEN}, since {HOST} does not name it, and was not"
            f" asked. If that engine is yours: export {HOST}={address.host}"
        )
    return Access(token, os.environ.get(CERTIFICATE, ""))


def _hosts() -> list[str]:
    return [host.strip().strip("[]").lower() for host in os.environ.get(HOST, "").split(",")]


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

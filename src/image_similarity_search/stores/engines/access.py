"""What it takes to get into an engine: secrets, from the environment, kept nowhere else.

The one place below the faces that reads the environment: a secret that is passed from hand to
hand is sooner or later stored or logged by one of them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

TOKEN = "ISS_MILVUS_TOKEN"  # noqa: S105 - the name of a variable
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


def access() -> Access:
    """As the environment says now."""
    return Access(os.environ.get(TOKEN, ""), os.environ.get(CERTIFICATE, ""))

"""Whether the one who asks sits at this machine: nobody else learns where its files lie."""

from __future__ import annotations

import ipaddress

from fastapi import Request

_PASSED_ON = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def asked_from_here(request: Request) -> bool:
    """Whether a request comes from this machine, to it by a name that leads nowhere else.

    One that a proxy passed on comes from elsewhere, wherever the proxy runs.
    """
    passed_on = any(name in request.headers for name in _PASSED_ON)
    called = request.headers.get("host", "").rsplit(":", 1)[0].strip("[]").lower()
    caller = request.client.host if request.client else ""
    to_here = called == "localhost" or _is_loopback(called)
    return not passed_on and to_here and _is_loopback(caller)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False

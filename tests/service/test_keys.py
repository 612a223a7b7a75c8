"""Guesses at keys, and what a proxy before the service may say of who asks."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from running import Starter
from test_attacks import KEY, slug_of

from image_similarity_search.errors import ConfigError
from image_similarity_search.service.keys import COOKIE
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.settings import Settings
from image_similarity_search.service.wrong_keys import GUESSES_A_MINUTE, WrongKeyLimit

PROXY = "127.0.0.1"
RIGHT = {"authorization": f"Bearer {KEY}"}


def refused(answer: httpx.Response) -> bool:
    """Whether there were too many guesses; else the key was merely wrong."""
    if answer.status_code == 429:
        assert slug_of(answer) == "rate"
        assert 1 <= int(answer.headers["retry-after"]) <= 60 / GUESSES_A_MINUTE
    else:
        assert answer.status_code == 401
    return answer.status_code == 429


@pytest.mark.parametrize("way", ["bearer", "x-api-key", "cookie", "session"])
def test_guessing_keys(serve: Starter, here: str, way: str) -> None:
    client = serve(keys=(KEY,))

    def guess(number: int) -> httpx.Response:
        wrong = f"guess-number-{number}-of-many"
        if way == "session":
            return client.post("/v1/session", json={"key": wrong})
        shown = {
            "bearer": {"authorization": f"Bearer {wrong}"},
            "x-api-key": {"x-api-key": wrong},
            "cookie": {"cookie": f"{COOKIE}=99999999999.{wrong}"},
        }
        return client.get(here, headers=shown[way])

    answers = [refused(guess(number)) for number in range(GUESSES_A_MINUTE + 3)]
    assert answers == [False] * GUESSES_A_MINUTE + [True] * 3
    # nor is it told now whether one is right
    assert refused(client.get(here, headers=RIGHT))
    assert refused(client.post("/v1/session", json={"key": KEY}))
    # what is known to be wrong is no guess, and who shows nothing makes none
    assert not refused(guess(0))
    assert not refused(client.get(here))


def test_guessing_keys_in_the_name_of_others(serve: Starter, here: str) -> None:
    client = serve(keys=(KEY,))
    for number in range(GUESSES_A_MINUTE + 1):
        headers = {"x-forwarded-for": f"203.0.113.{number}", "x-api-key": f"guess {number}"}
        answer = client.get(here, headers=headers)
    assert refused(answer)


def test_who_asks_is_told_by_the_proxy_alone(serve: Starter, here: str) -> None:
    client = serve(keys=(KEY,), trusted_proxies=(PROXY,))

    def guess(number: int, address: str) -> httpx.Response:
        headers = {"x-forwarded-for": address, "x-api-key": f"guess {number}"}
        return client.get(here, headers=headers)

    # the last address is what the proxy saw; those before it are the client's own words
    guesses = [guess(n, f"203.0.113.{n}, 198.51.100.7") for n in range(GUESSES_A_MINUTE + 1)]
    assert refused(guesses[-1])
    assert client.get(here, headers={**RIGHT, "x-forwarded-for": "198.51.100.8"}).is_success
    assert client.get(here, headers=RIGHT).is_success


def test_a_client_is_a_network_of_ipv6() -> None:
    limit = WrongKeyLimit()
    for number in range(GUESSES_A_MINUTE):
        limit.was_wrong(f"2001:db8::{number:x}", f"guess {number}")
    with pytest.raises(Refusal, match="too many"):
        limit.check("2001:db8::ffff:1", KEY)
    for other in ("2001:db8:0:1::1", "::ffff:203.0.113.1", "unknown"):
        limit.check(other, KEY)
    for number in range(GUESSES_A_MINUTE):
        limit.was_wrong("::ffff:203.0.113.1", f"more {number}")
    limit.check("::ffff:203.0.113.2", KEY)


def test_behind_a_proxy_that_encrypts(serve: Starter, here: str) -> None:
    client = serve(keys=(KEY,), allowed_hosts=("x",), trusted_proxies=("127.0.0.0/8",))
    sent = {"host": "x:8443", "origin": "https://x:8443", "x-forwarded-proto": "https"}
    sent["x-forwarded-for"] = "203.0.113.1"
    entered = client.post("/v1/session", json={"key": KEY}, headers=sent)
    assert entered.status_code == 204
    assert "; Secure" in entered.headers["set-cookie"]
    cookie = entered.headers["set-cookie"].partition(";")[0]
    started = client.post(f"{here}/sync", json={}, headers={**sent, "cookie": cookie})
    assert started.status_code == 202
    other = {**sent, "cookie": cookie, "origin": "https://x"}
    assert client.post(f"{here}/sync", json={}, headers=other).status_code == 403


def test_without_a_proxy_nobody_says_that_it_is_encrypted(serve: Starter) -> None:
    sent = {"x-forwarded-proto": "https"}
    entered = serve(keys=(KEY,)).post("/v1/session", json={"key": KEY}, headers=sent)
    assert entered.status_code == 204
    assert "Secure" not in entered.headers["set-cookie"]


def test_a_proxy_is_named_by_its_address_or_network(tmp_path: Path) -> None:
    here = (("a", str(tmp_path)),)
    for wrong in ("*", "example.org", "", "10.0.0.1/8"):
        with pytest.raises(ConfigError, match=re.escape("its address, such as 127.0.0.1")):
            Settings(here, str(tmp_path), trusted_proxies=(wrong,))

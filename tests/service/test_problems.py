"""Every error of the tree is a problem to a client, and none tells of the machine."""

from __future__ import annotations

import inspect
from typing import Any

import httpx
import pytest

from image_similarity_search import errors
from image_similarity_search.errors import ImageSearchError
from image_similarity_search.service import kinds

_CLASSES: list[type[Any]] = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, ImageSearchError)
]


@pytest.mark.parametrize("kind", _CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status(kind: type[Any]) -> None:
    error: ImageSearchError = BaseException.__new__(kind)
    found = kinds.kind_of(error)
    assert found in kinds.KINDS.values()
    assert 400 <= found.status < 600
    if found.status == 503:
        assert found.retry


def test_no_class_stands_behind_one_that_it_is_a_case_of() -> None:
    order = list(kinds.KINDS)
    for number, kind in enumerate(order):
        assert not any(issubclass(kind, before) for before in order[:number]), kind


_PATH = "/home/somebody/pictures"


@pytest.mark.parametrize(
    "error",
    [
        errors.ImageNotFoundError(_PATH, "no such file"),
        errors.ImageTooLargeError(_PATH, 2, 1),
        errors.ConfigError("path", _PATH, "the path of a file"),
        errors.EncoderUnavailableError(_PATH, _PATH, _PATH),
        errors.EncoderNotHereError(_PATH, _PATH, _PATH),
        errors.EncoderOutputError(_PATH, _PATH),
        errors.CollectionNotFoundError(_PATH),
        errors.CollectionCorruptError(_PATH, _PATH),
        errors.CollectionUnwritableError(_PATH, _PATH),
        errors.CollectionLockedError(_PATH, _PATH),
        errors.StoreUnavailableError(_PATH),
        errors.WorkerUnavailableError(_PATH),
        errors.ExportError(_PATH, _PATH),
        ImageSearchError(_PATH),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_path_is_told(error: ImageSearchError) -> None:
    assert _PATH in str(error) or isinstance(error, errors.WorkerUnavailableError)
    assert _PATH not in kinds.detail_of(error)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (
            "images/1/similar?threshold=abc",
            "query.threshold: 'abc' is not allowed; expected a number,"
            " or one of same-picture, same-object, same-kind",
        ),
        ("images?limit=0", "query.limit: '0' is not allowed; expected a whole number, 1 to 1,000"),
        (
            "images?gps_box=1&gps_box=x",
            "query.gps_box: 'x' is not allowed; expected 4 values, each a number",
        ),
        (
            "images?orientation=up&min_aspect=-1",
            "query.orientation: 'up' is not allowed; expected one of landscape, portrait, square;"
            " query.min_aspect: '-1' is not allowed; expected a number, 0 or more",
        ),
        (
            "images/1/similar?fold=maybe",
            "query.fold: 'maybe' is not allowed; expected true or false",
        ),
        ("images?name=", "query.name: '' is not allowed; expected text of 1 to 1,000 characters"),
        (
            "images/x",
            "path.id: 'x' is not allowed; expected a whole number, 1 to 9,223,372,036,854,775,807",
        ),
        (
            "images/1/explanation",
            "query.query: missing; expected a whole number, 1 to 9,223,372,036,854,775,807",
        ),
        (
            "tags?a=1&b=2",
            "query.a: unknown parameter; this path takes no parameters;"
            " query.b: unknown parameter; this path takes no parameters",
        ),
    ],
)
def test_a_parameter_is_told_by_its_value_and_what_was_expected(
    shared: httpx.Client, here: str, path: str, told: str
) -> None:
    answer = shared.get(f"{here}/{path}")
    assert (answer.status_code, answer.json()["detail"]) == (422, told)


_ID = "a whole number, 1 to 9,223,372,036,854,775,807"


@pytest.mark.parametrize(
    ("path", "body", "where", "what"),
    [
        (
            "search",
            {"examples": [{"id": 1}], "threshold": "abc"},
            "threshold",
            '"abc" is not allowed; expected a number,'
            " or one of same-picture, same-object, same-kind",
        ),
        (
            "search",
            {"examples": [{"id": "x"}]},
            "examples.0.id",
            f'"x" is not allowed; expected {_ID}',
        ),
        (
            "search",
            {"examples": [{"id": 1, "region": {"x": 0, "y": 0, "w": 0, "h": 1}}]},
            "examples.0.region.w",
            "0 is not allowed; expected a number, more than 0 and at most 1",
        ),
        (
            "search",
            {"examples": [{"id": 1, "weight": 0}]},
            "examples.0.weight",
            "0 is not allowed; expected a number, -1,000,000.0 to 1,000,000.0 and not 0",
        ),
        (
            "search",
            {"examples": [{"id": 1}], "filter": {"gps_box": [1]}},
            "filter.gps_box",
            "a list of 1 is not allowed; expected 4 values, each a number",
        ),
        ("duplicates/dismiss", {}, "ids", f"missing; expected 2 to 1,000 values, each {_ID}"),
        (
            "sync",
            {"rooot": "photos"},
            "rooot",
            "unknown field; its fields are root, retry_skipped",
        ),
        ("sync", {"root": 5}, "root", "5 is not allowed; expected text"),
        ("sync", {str(n): n for n in range(20)}, "", "too many fields; its fields are"),
        ("sync", "text", "", '"text" is not allowed; expected an object; its fields are root'),
    ],
)
def test_a_field_is_told_by_its_value_and_what_was_expected(
    shared: httpx.Client, here: str, path: str, body: object, where: str, what: str
) -> None:
    answer = shared.post(f"{here}/{path}", json=body)
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["where"] == ".".join(filter(None, ("body", where)))
    assert fault["what"].startswith(what)


def test_a_region_too_small_to_be_one_is_a_fault_of_the_request(
    shared: httpx.Client, here: str
) -> None:
    region = {"x": 0, "y": 0, "w": 1e-320, "h": 1}
    answer = shared.post(f"{here}/search", json={"examples": [{"id": 1, "region": region}]})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:iss:problem:invalid")
    assert "at least a millionth" in answer.text


def test_what_is_no_json_is_said_and_not_shown(shared: httpx.Client, here: str) -> None:
    sent = {"content-type": "application/json"}
    bad = {"search": b'{"k": secret', "sync": b'{"root": secret', "duplicates/dismiss": b""}
    for path, body in bad.items():
        answer = shared.post(f"{here}/{path}", content=body, headers=sent)
        assert "expected an object" in answer.json()["detail"]
        assert "secret" not in answer.text
    picture = shared.post(
        f"{here}/sync", content=b"secret" * 9, headers={"content-type": "image/png"}
    )
    assert "another type than application/json is not allowed" in picture.json()["detail"]
    key = shared.post("/v1/session", json={"key": "secret" * 200})
    assert "secret" not in key.text + picture.text


def test_what_is_told_of_a_parameter_is_short(shared: httpx.Client, here: str) -> None:
    answer = shared.get(f"{here}/images", params={"limit": "9" * 5_000})
    (fault,) = answer.json()["errors"]
    assert fault["where"] == "query.limit"
    assert len(fault["what"]) < 300


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/collections/", 404),
        ("PUT", "/v1/session", 405),
        ("GET", "/v1/collections/pictures/images?limit=x", 422),
        ("GET", "/v1/collections/pictures/images/abc", 422),
        ("POST", "/v1/session", 422),
    ],
)
def test_every_refusal_is_a_problem(
    shared: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = shared.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:iss:problem:")
    assert problem["title"]
    assert problem["detail"]
    assert problem["detail"] not in ("Not Found", "Method Not Allowed")
    assert status != 405 or answer.headers["allow"] == "DELETE, POST"


def test_an_image_that_is_not_there_is_named(shared: httpx.Client, here: str) -> None:
    for answer in (
        shared.get(f"{here}/images/77"),
        shared.post(f"{here}/search", json={"examples": [{"id": 1}, {"id": 77}]}),
    ):
        assert answer.status_code == 404
        assert answer.json()["detail"].startswith("id 77: ")

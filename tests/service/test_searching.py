"""Searches over HTTP give what ``Collection`` gives."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from camera_files import exif
from conftest import draw, until
from PIL import Image, ImageOps
from running import NAME, Starter, running
from text_towers import write_pair

from image_similarity_search import Collection, Text
from image_similarity_search.catalog.values import Identity
from image_similarity_search.client import Client
from image_similarity_search.collection import identity, opened
from image_similarity_search.encoders.text import TextEncoder
from image_similarity_search.service import served
from image_similarity_search.service.schemas import SearchOut
from image_similarity_search.service.settings import Settings


def picture(seed: int, kind: str = "PNG") -> bytes:
    out = BytesIO()
    draw(seed).save(out, kind)
    return out.getvalue()


def hits_of(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    hits: list[dict[str, Any]] = response.json()["hits"]
    return hits


def test_a_picture_finds_itself_whichever_way_it_is_sent(shared: httpx.Client, here: str) -> None:
    data = picture(3)
    raw = shared.post(f"{here}/search?k=3", content=data, headers={"content-type": "image/png"})
    untyped = shared.post(f"{here}/search?k=3", content=data)
    form = shared.post(f"{here}/search?k=3", files={"image": ("x.png", data)})
    for response in (raw, untyped, form):
        first, *others = hits_of(response)
        assert (first["rank"], first["score"], first["distance"]) == (1, 1.0, 0.0)
        assert (first["image"]["root"], first["image"]["path"]) == (
            "photos",
            "holiday/picture 3.png",
        )
        assert len(others) == 2
        assert others[0]["score"] >= others[1]["score"]


def test_an_answer_has_the_documented_shape(shared: httpx.Client, here: str) -> None:
    for options in ("", "&fold=true&diverse=true", "&threshold=0.99"):
        answer = shared.get(f"{here}/images/1/similar?k=3{options}")
        assert SearchOut.model_validate_json(answer.content).model_dump_json() == answer.text


def test_searches_made_together_get_each_its_own_answer(shared: httpx.Client, here: str) -> None:
    def answer(number: int) -> tuple[int, list[Any]]:
        if number % 4 == 1:
            found = shared.post(f"{here}/search?k={number}", content=picture(number % 12))
        elif number % 4 == 3:
            found = shared.post(f"{here}/search", content=b"no picture")
        else:
            found = shared.get(f"{here}/images/{number}/similar?k=3&folder=photos")
        hits = found.json().get("hits", [])
        return found.status_code, [(hit["image"]["id"], hit["score"]) for hit in hits]

    numbers = range(1, 41)
    alone = [answer(number) for number in numbers]
    assert {status for status, _ in alone} == {200, 404, 422}
    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(answer, numbers)) == alone


def test_an_image_is_left_out_of_its_own_answer(shared: httpx.Client, here: str) -> None:
    hits = hits_of(shared.get(f"{here}/images/4/similar?k=50"))
    assert {hit["image"]["id"] for hit in hits} == set(range(1, 13)) - {4}
    by_json = shared.post(f"{here}/search", json={"examples": [{"id": 4}], "k": 50})
    assert hits_of(by_json) == hits


@pytest.mark.parametrize("path", ["images?format=png", "images/4/similar?kk=3", "images/4?k=3"])
def test_a_parameter_that_is_not_known_is_said(shared: httpx.Client, here: str, path: str) -> None:
    refused = shared.get(f"{here}/{path}")
    assert refused.status_code == 422
    assert path.partition("?")[2].partition("=")[0] in refused.json()["detail"]


def test_a_number_is_no_truth(shared: httpx.Client, here: str) -> None:
    wanted = {"examples": [{"id": 4}], "filter": {"max_size": False}}
    assert shared.post(f"{here}/search", json=wanted).status_code == 422
    assert shared.post(f"{here}/duplicates", json={"filter": {"max_size": True}}).status_code == 422


def test_a_threshold_leaves_out_what_is_less_alike(shared: httpx.Client, here: str) -> None:
    best = hits_of(shared.get(f"{here}/images/4/similar?k=1"))[0]["score"]
    assert len(hits_of(shared.get(f"{here}/images/4/similar?threshold={best - 1e-6}"))) == 1
    assert not hits_of(shared.get(f"{here}/images/4/similar?threshold=0.99999"))
    refused = shared.get(f"{here}/images/4/similar?threshold=90")
    assert refused.status_code == 422
    assert "from 0 to 1" in refused.json()["detail"]


def test_a_word_for_a_threshold_is_refused_where_nobody_knows_what_it_means(
    shared: httpx.Client, here: str
) -> None:
    assert shared.get(here).json()["thresholds"] is None  # it is not of a network
    answer = shared.get(f"{here}/images/4/similar?threshold=same-object")
    assert answer.status_code == 422
    assert "not calibrated" in answer.json()["detail"]
    assert shared.get(f"{here}/images/4/similar?threshold=alike").status_code == 422
    asked = {"examples": [{"id": 4}], "threshold": "same-kind"}
    assert shared.post(f"{here}/search", json=asked).status_code == 422


def test_a_part_of_a_picture_can_be_searched_by(shared: httpx.Client, here: str) -> None:
    whole = draw(5, (200, 200))
    whole.paste(draw(8, (100, 100)), (100, 100))
    out = BytesIO()
    whole.save(out, "PNG")
    answer = shared.post(f"{here}/search?k=1&region=0.5,0.5,0.5,0.5", content=out.getvalue())
    assert hits_of(answer)[0]["image"]["name"] == "picture 8.jpg"
    whole_answer = shared.post(f"{here}/search?k=1", content=out.getvalue())
    assert hits_of(whole_answer)[0]["image"]["name"] != "picture 8.jpg"
    (only,) = hits_of(shared.get(f"{here}/images/9/similar?k=1&region=0,0,1,1"))
    assert only["image"]["id"] != 9


def test_examples_are_combined(shared: httpx.Client, here: str) -> None:
    query = {
        "examples": [{"id": 1, "weight": 1.0}, {"upload": 0}, {"id": 5, "weight": -0.5}],
        "k": 20,
    }
    answer = shared.post(
        f"{here}/search",
        files={"image": ("x.png", picture(7)), "query": (None, json.dumps(query))},
    )
    found = [hit["image"]["id"] for hit in hits_of(answer)]
    assert len(found) == 10
    assert not {1, 5} & set(found)
    alone = [h["image"]["id"] for h in hits_of(shared.get(f"{here}/images/1/similar?k=20"))]
    assert found != [id_ for id_ in alone if id_ != 5]


def test_options_say_what_else_to_do(shared: httpx.Client, here: str) -> None:
    out = BytesIO()
    ImageOps.mirror(draw(3)).save(out, "PNG")
    plain = hits_of(shared.post(f"{here}/search?k=3", content=out.getvalue()))
    assert plain[0]["score"] < 0.999
    wanted = {"mirrored": True, "turned": True, "fold": True, "diverse": 0.1}
    found = hits_of(shared.post(f"{here}/search", params=wanted | {"k": 3}, content=out.getvalue()))
    assert found[0]["image"]["name"] == "picture 3.png"
    assert found[0]["score"] > plain[0]["score"]
    assert all(hit["folded"] == [] for hit in found)
    query = {"examples": [{"upload": 0}], "k": 3, **wanted}
    form: Any = {"image": ("x.png", out.getvalue()), "query": (None, json.dumps(query))}
    assert hits_of(shared.post(f"{here}/search", files=form)) == found
    judged: dict[str, Any] = {"liked": [3, 5], "disliked": [2], "k": 50}
    moved = hits_of(shared.get(f"{here}/images/1/similar", params=judged))
    assert {3, 5} <= {hit["image"]["id"] for hit in moved} == set(range(1, 13)) - {1, 2}
    by_json = shared.post(f"{here}/search", json={"examples": [{"id": 1}], **judged})
    assert hits_of(by_json) == moved
    assert moved != hits_of(shared.get(f"{here}/images/1/similar?k=50"))
    elsewhere = {"exclude_same_folder": True, "k": 50, "mirrored": True}
    similar = hits_of(shared.get(f"{here}/images/1/similar", params=elsewhere))
    assert {hit["image"]["path"].split("/")[0] for hit in similar} == {"holiday"}
    by_json = shared.post(f"{here}/search", json={"examples": [{"id": 1}], **elsewhere})
    assert hits_of(by_json) == similar


@pytest.mark.parametrize(
    "wrong", [{"diverse": 1.5}, {"fold": "maybe"}, {"liked": [1], "disliked": [1]}]
)
def test_options_that_make_no_sense_are_refused(
    shared: httpx.Client, here: str, wrong: dict[str, Any]
) -> None:
    answer = shared.post(f"{here}/search", params=wrong, content=picture(1))
    assert answer.status_code == 422


def test_only_images_that_meet_conditions_are_found(shared: httpx.Client, here: str) -> None:
    in_query: dict[str, Any] = {
        "folder": "photos/holiday",
        "formats": ["png", "webp"],
        "min_width": 90,
    }
    similar = hits_of(shared.get(f"{here}/images/1/similar", params=in_query | {"k": 50}))
    assert [hit["image"]["path"].split("/")[0] for hit in similar] == ["holiday"] * 6
    data = shared.get(f"{here}/images/1/file").content
    raw = hits_of(shared.post(f"{here}/search", params=in_query | {"k": 50}, content=data))
    assert [hit["image"] for hit in raw] == [hit["image"] for hit in similar]
    query = {"examples": [{"id": 1}], "k": 50, "filter": in_query}
    assert hits_of(shared.post(f"{here}/search", json=query)) == similar
    listed = shared.get(f"{here}/images", params=in_query | {"limit": 2, "offset": 1}).json()
    ids = sorted(hit["image"]["id"] for hit in similar)
    assert [image["id"] for image in listed["images"]] == ids[1:3]
    assert (listed["total"], listed["next"]) == (6, ids[2])


def test_conditions_on_what_files_say(serve: Starter, place: Path, here: str) -> None:
    draw(30).save(place / "photos" / "berne.jpg", exif=exif())
    with Collection.open(place / "index") as collection:
        collection.sync(place / "photos")
    client = serve()
    conditions: dict[str, Any] = {
        "aspect": "4:3",
        "camera": "eos",
        "taken_after": "2024",
        "taken_before": "2024-06",
        "gps_box": [45.8, 5.9, 47.9, 10.5],
    }
    by_query = hits_of(client.get(f"{here}/images/1/similar", params=conditions))
    assert [hit["image"]["name"] for hit in by_query] == ["berne.jpg"]
    query = {"examples": [{"id": 1}], "filter": conditions}
    assert hits_of(client.post(f"{here}/search", json=query)) == by_query
    blue = client.get(f"{here}/images", params={"colours": ["blue", "red"]})
    assert blue.status_code == 200


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"folder": "photos/none"}, 404),
        ({"folder": "other"}, 404),
        ({"folder": "photos/../.."}, 422),
        ({"folder": "photos//holiday"}, 422),
        ({"formats": ["exe"]}, 422),
        ({"min_width": -1}, 422),
        ({"min_width": 5, "max_width": 1}, 422),
        ({"modified_after": "soon"}, 422),
        ({"orientation": "diagonal"}, 422),
        ({"aspect": "round"}, 422),
        ({"camera": ""}, 422),
        ({"taken_after": "2024-05-17T18:30Z"}, 422),
        ({"gps_box": [1, 2, 3]}, 422),
        ({"gps_box": [9, 0, 1, 0]}, 422),
        ({"colours": ["mauve"]}, 422),
    ],
)
def test_conditions_that_make_no_sense_are_refused(
    shared: httpx.Client, here: str, condition: dict[str, Any], status: int
) -> None:
    assert shared.get(f"{here}/images", params=condition).status_code == status
    query = {"examples": [{"id": 1}], "filter": condition}
    assert shared.post(f"{here}/search", json=query).status_code == status


@pytest.mark.parametrize(
    ("query", "status", "slug"),
    [
        ({"examples": [{"id": 1, "weight": -1}]}, 422, "invalid"),
        ({"examples": [{"id": 1}, {"id": 1, "weight": -1}]}, 422, "invalid"),
        ({"examples": [{"upload": 0}]}, 422, "invalid"),
        ({"examples": [{"id": 1, "upload": 0}]}, 422, "invalid"),
        ({"examples": [{}]}, 422, "invalid"),
        ({"examples": []}, 422, "invalid"),
        ({"examples": [{"id": 1}], "k": 0}, 422, "invalid"),
        ({"examples": [{"id": 1}], "nonsense": 1}, 422, "invalid"),
        ({"examples": [{"id": 99}]}, 404, "image-not-found"),
    ],
)
def test_what_can_not_be_searched_by_is_refused(
    shared: httpx.Client, here: str, query: dict[str, Any], status: int, slug: str
) -> None:
    answer = shared.post(f"{here}/search", json=query)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:iss:problem:{slug}"


def test_what_is_no_picture_is_refused(shared: httpx.Client, here: str) -> None:
    answer = shared.post(f"{here}/search", content=b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:iss:problem:image-unreadable"
    assert shared.post(f"{here}/search", content=b"").status_code == 422
    as_text = shared.post(f"{here}/search", content=b"x", headers={"content-type": "text/plain"})
    assert as_text.status_code == 415
    for taken in ("image/*", "JPEG, PNG", "HEIF"):
        assert taken in as_text.json()["detail"]
    for region in ("", "1,2", "0,0,2,1", "nan,0,1,1", "0.9,0,0.2,1"):
        bad = shared.post(f"{here}/search", params={"region": region}, content=picture(1))
        assert bad.status_code == 422, region


def test_words_are_searched_by_where_the_model_understands_them(
    serve: Starter, shared: httpx.Client, here: str, place: Path
) -> None:
    refused = shared.post(f"{here}/search", json={"examples": [{"text": "red"}]})
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:iss:problem:no-text")
    assert not shared.get(here).json()["text"]
    shutil.rmtree(place / "index")
    Image.new("RGB", (64, 64), "red").save(place / "photos" / "red.png")
    model = str(write_pair(place / "models"))
    with Collection.open(place / "index", encoder=model, create=True) as made:
        made.sync(place / "photos")
    client = serve()
    assert client.get(here).json()["text"]
    words = {"examples": [{"text": "Red"}], "k": 3}
    assert hits_of(client.post(f"{here}/search", json=words))[0]["image"]["name"] == "red.png"
    with Client(str(client.base_url)) as other:
        assert other.info().text
        assert other.search(Text("red"), k=1)[0].image.path == "red.png"
    for wrong in ({"text": "red", "id": 1}, {"text": ""}, {"text": " "}, {"text": "x" * 1001}):
        answer = client.post(f"{here}/search", json={"examples": [wrong]})
        assert answer.status_code == 422, wrong
    part = {"text": "red", "region": {"x": 0, "y": 0, "w": 1, "h": 1}}
    assert client.post(f"{here}/search", json={"examples": [part]}).status_code == 422


def test_what_understands_words_is_fetched_while_all_else_goes_on(
    serve: Starter, here: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(place / "index")
    model = str(write_pair(place / "models"))
    with Collection.open(place / "index", encoder=model, create=True) as made:
        made.sync(place / "photos")
    arrived = Event()

    def slowly(stored: Identity) -> TextEncoder:
        assert arrived.wait(60)
        return identity.text_encoder(stored)

    monkeypatch.setattr(opened, "text_encoder", slowly)
    monkeypatch.setattr(served, "_WORDS_SECONDS", 0.1)
    client = serve()
    words = {"examples": [{"text": "red"}], "k": 3}
    for _ in range(6):  # more than there are threads
        refused = client.post(f"{here}/search", json=words)
        assert refused.status_code == 503
        assert refused.json()["type"] == "urn:iss:problem:text-loading"
        assert int(refused.headers["retry-after"]) > 0
        assert client.get(f"{here}/images").status_code == 200
        assert client.post(f"{here}/search", content=picture(1)).status_code == 200
    (place / "state").mkdir()
    with running(Settings(((NAME, str(place / "index")),), str(place / "state"))) as url:
        assert httpx.post(f"{url}{here}/search", json=words).status_code == 503
    assert not arrived.is_set()  # it ended before that
    arrived.set()
    until(lambda: client.post(f"{here}/search", json=words).status_code == 200)


def test_what_fetches_a_model_does_not_hold_up_the_end() -> None:
    code = """if True:
        import time
        from image_similarity_search.service.background import Background
        background = Background("words")
        assert background.submit(len, "four").result() == 4
        background.submit(time.sleep, 600)
        never = background.submit(print, "begun after all")
        background.close()
        """
    done = subprocess.run([sys.executable, "-c", code], timeout=60, check=True, capture_output=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_diverse_may_be_said_without_a_number(shared: httpx.Client, here: str) -> None:
    def found(**how: object) -> list[int]:
        body = {"examples": [{"id": 1}], "k": 5, **how}
        posted = [hit["image"]["id"] for hit in hits_of(shared.post(f"{here}/search", json=body))]
        asked = {name: str(value).lower() for name, value in how.items()}
        answer = shared.get(f"{here}/images/1/similar", params={"k": 5, **asked})
        assert [hit["image"]["id"] for hit in hits_of(answer)] == posted
        return posted

    assert found(diverse=True) == found(diverse=0.5) != found(diverse=False)
    assert found(diverse=False) == found()
    for wrong in ("yes", 1.5):
        answer = shared.get(f"{here}/images/1/similar", params={"diverse": wrong})
        assert answer.status_code == 422

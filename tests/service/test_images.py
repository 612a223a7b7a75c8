"""Images over HTTP: listed, looked at, added, forgotten."""

from __future__ import annotations

import os
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from conftest import until
from PIL import Image
from running import Starter
from test_searching import hits_of, picture

from image_similarity_search.collection import Collection
from image_similarity_search.errors import CollectionUnwritableError
from image_similarity_search.service.settings import Limits


def test_images_are_listed_in_pages(shared: httpx.Client, here: str) -> None:
    seen: list[int] = []
    after = 0
    while True:
        page = shared.get(f"{here}/images", params={"after": after, "limit": 5}).json()
        assert page["total"] == 12
        seen += [image["id"] for image in page["images"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert seen == list(range(1, 13))
    assert shared.get(f"{here}/images?after=12").json()["images"] == []


def test_an_image_is_described(shared: httpx.Client, here: str) -> None:
    image = shared.get(f"{here}/images/1").json()
    assert (image["root"], image["state"], image["name"]) == ("photos", "indexed", "picture 0.jpg")
    assert (image["width"], image["height"]) == (96, 72)
    assert shared.get(image["links"]["self"]).json() == image
    assert image["traits"]["taken"] is None
    assert shared.get(f"{here}/images/99").status_code == 404
    assert shared.get(f"{here}/images/{2**70}").status_code == 422
    assert shared.get("/v1/collections/other/images").status_code == 404


def test_a_file_is_handed_out_as_it_is(serve: Starter, place: Path, here: str) -> None:
    client = serve()
    image = client.get(f"{here}/images/1").json()
    answer = client.get(image["links"]["file"])
    assert answer.content == (place / "photos" / image["path"]).read_bytes()
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"].startswith('inline; filename="picture 0.jpg"')
    again = client.get(image["links"]["file"], headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    saved = client.get(image["links"]["file"], params={"download": True})
    assert saved.headers["content-disposition"].startswith("attachment")


def test_the_size_of_an_upload_is_told(serve: Starter) -> None:
    client = serve(limits=Limits(upload_bytes=12_345))
    assert client.get("/v1/collections").json()["max_upload"] == 12_345


def test_thumbnails_are_small(shared: httpx.Client, here: str) -> None:
    answer = shared.get(f"{here}/images/2/thumbnail")
    with Image.open(BytesIO(answer.content)) as small:
        assert max(small.size) <= 512
    assert answer.headers["content-type"] == "image/jpeg"
    tag = answer.headers["etag"]
    again = shared.get(f"{here}/images/2/thumbnail", headers={"if-none-match": tag})
    assert again.status_code == 304


def test_a_preview_is_upright_and_no_larger_than_a_screen(
    serve: Starter, place: Path, here: str
) -> None:
    client = serve()
    picture = Image.new("RGB", (2880, 1000), "red")
    picture.paste("blue", (0, 0, 1440, 1000))
    picture.save(place / "photos/wide.tif")
    turned = Image.Exif()
    turned[0x0112] = 6
    picture.resize((60, 40)).save(place / "photos/turned.webp", exif=turned)
    wide, webp = (
        client.post(f"{here}/images", json={"root": "photos", "path": name}).json()["links"]
        for name in ("wide.tif", "turned.webp")
    )
    turned_webp = (place / "photos/turned.webp").read_bytes()
    answer = client.get(wide["preview"])
    assert answer.headers["content-type"] == "image/jpeg"
    with Image.open(BytesIO(answer.content)) as shown:
        assert (shown.format, shown.size) == ("JPEG", (1440, 500))
    tag = {"if-none-match": answer.headers["etag"]}
    assert client.get(wide["preview"], headers=tag).status_code == 304
    for answer in (
        client.get(webp["preview"], params={"original": True}),
        client.post(f"{here}/preview", content=turned_webp + bytes(300_000)),
    ):
        with Image.open(BytesIO(answer.content)) as shown:
            assert (shown.format, shown.size) == ("JPEG", (40, 60))
            above = shown.crop((0, 0, 40, 20)).tobytes()
            assert min(above[2::3]) > 200, "blue, which was on the left, is above"


def test_what_browsers_show_may_come_as_it_is(shared: httpx.Client, here: str) -> None:
    links = shared.get(f"{here}/images/7").json()["links"]
    shown, file = shared.get(f"{links['preview']}?original=true"), shared.get(links["file"])
    assert (shown.content, shown.headers["content-type"]) == (file.content, "image/png")
    assert shared.get(links["preview"]).headers["content-type"] == "image/jpeg"
    assert shared.post(f"{here}/preview", content=b"no picture").status_code == 422
    assert shared.post(f"{here}/preview", json={}).status_code == 422


def test_an_upload_is_put_into_a_folder_and_found(serve: Starter, place: Path, here: str) -> None:
    client = serve()
    to = {"root": "photos", "path": "new/one.png"}
    added = client.post(f"{here}/images", params=to, content=picture(90))
    assert added.status_code == 201
    image = added.json()
    assert (image["root"], image["path"]) == ("photos", "new/one.png")
    assert added.headers["location"] == image["links"]["self"]
    assert (place / "photos/new/one.png").read_bytes() == picture(90)
    assert hits_of(client.post(f"{here}/search", content=picture(90)))[0]["image"] == image

    again = client.post(f"{here}/images", params=to, content=picture(91))
    assert (again.status_code, again.json()["type"]) == (409, "urn:iss:problem:exists")
    assert (place / "photos/new/one.png").read_bytes() == picture(90)
    form = client.post(
        f"{here}/images",
        params=to | {"path": "new/two.jpg"},
        files={"image": ("ignored name", picture(91))},
    )
    assert form.status_code == 201
    assert sorted(file.name for file in (place / "photos/new").iterdir()) == ["one.png", "two.jpg"]


def test_what_is_no_picture_is_not_kept(serve: Starter, place: Path, here: str) -> None:
    client = serve()
    to = {"root": "photos", "path": "bad.jpg"}
    assert client.post(f"{here}/images", params=to, content=b"no picture").status_code == 422
    named = client.post(f"{here}/images", params=to | {"path": "a.html"}, content=picture(1))
    assert named.status_code == 422
    assert not list((place / "photos").glob("[!ph]*"))


def test_an_upload_that_fails_leaves_nothing_behind(
    serve: Starter, place: Path, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve()
    before = sorted((place / "photos").rglob("*"))
    bad = {"root": "photos", "path": "new/deep/bad.jpg"}
    assert client.post(f"{here}/images", params=bad, content=b"no picture").status_code == 422

    def full(*_: object) -> None:
        raise CollectionUnwritableError(place, "disk full")

    with monkeypatch.context() as patch:
        patch.setattr(Collection, "add", full)
        good = bad | {"path": "new/deep/good.png"}
        assert client.post(f"{here}/images", params=good, content=picture(90)).status_code == 507
    assert sorted((place / "photos").rglob("*")) == before
    assert client.post(f"{here}/images", params=good, content=picture(90)).status_code == 201


def test_an_upload_does_not_make_the_folder_of_a_disk_that_is_gone(
    serve: Starter, place: Path, here: str
) -> None:
    client = serve()
    (place / "photos").rename(place / "unplugged")
    to = {"root": "photos", "path": "new/one.png"}
    answer = client.post(f"{here}/images", params=to, content=picture(90))
    assert (answer.status_code, answer.json()["detail"]) == (404, "this folder does not exist now")
    assert not (place / "photos").exists()


def test_a_file_that_is_there_can_be_added(serve: Starter, place: Path, here: str) -> None:
    client = serve()
    (place / "photos/late.png").write_bytes(picture(77))
    added = client.post(f"{here}/images", json={"root": "photos", "path": "late.png"})
    assert added.status_code == 201
    (place / "photos/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    broken = client.post(f"{here}/images", json={"root": "photos", "path": "broken.png"})
    assert (broken.status_code, broken.json()["type"]) == (422, "urn:iss:problem:image-unreadable")
    skipped = client.get(f"{here}/images", params={"state": "skipped"}).json()
    assert [image["name"] for image in skipped["images"]] == ["broken.png"]
    assert (
        client.post(f"{here}/images", json={"root": "photos", "path": "no.png"}).status_code == 404
    )


def test_an_image_can_be_forgotten(serve: Starter, place: Path, here: str) -> None:
    client = serve()
    image = client.get(f"{here}/images/3").json()
    assert client.delete(f"{here}/images/3").status_code == 204
    assert client.get(f"{here}/images/3").status_code == 404
    assert client.delete(f"{here}/images/3").status_code == 404
    assert (place / "photos" / image["path"]).exists()
    assert client.get(f"{here}/images").json()["total"] == 11


def test_a_read_only_service_changes_nothing(serve: Starter, here: str) -> None:
    client = serve(read_only=True)
    answers = [
        client.delete(f"{here}/images/3"),
        client.post(f"{here}/images", json={"root": "photos", "path": "a.jpg"}),
        client.post(f"{here}/sync", json={}),
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert client.get(f"{here}/images/3").status_code == 200


def test_a_file_is_closed_when_nobody_wants_it_any_more(
    serve: Starter, place: Path, here: str
) -> None:
    client = serve()
    image = client.get(f"{here}/images/1").json()
    with open(place / "photos" / image["path"], "ab") as file:
        file.truncate(64 << 20)  # more than any buffer on the way holds
    with client.stream("GET", image["links"]["file"]) as answer:
        assert answer.status_code == 200
        chunks = answer.iter_raw()  # a name for it: without one, it would end the connection
        assert next(chunks)
        assert _is_open(place / "photos" / image["path"])
    until(lambda: not _is_open(place / "photos" / image["path"]))


def _is_open(path: Path) -> bool:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("this system does not say which files are open")
    found = False
    for link in folder.iterdir():
        with suppress(OSError):
            found |= os.readlink(link) == str(path)
    return found

"""Embeddings that were taken over are used with the encoder that made them, and with no other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import CountingEncoder, MakePicture, draw
from PIL import Image
from privileges import as_anybody
from recipe import embeddings_of, write_files

from image_similarity_search import Collection, import_legacy
from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.errors import (
    CollectionMismatchError,
    EncoderUnavailableError,
)
from image_similarity_search.types import FloatArray, PixelArray


class Reversed(CountingEncoder):
    """Another model of the same dimension."""

    name = "reversed"
    fingerprint = "reversed;1"

    def encode(self, pixels: PixelArray) -> FloatArray:
        return np.ascontiguousarray(super().encode(pixels)[:, ::-1])


class Nearly(CountingEncoder):
    """The same model in other arithmetic."""

    fingerprint = "nearly;1"

    def encode(self, pixels: PixelArray) -> FloatArray:
        rows = super().encode(pixels)
        return rows + np.float32(1e-3) * rows[:, ::-1]


class Wider(CountingEncoder):
    dim = 2000


class Unfinished(CountingEncoder):
    def encode(self, pixels: PixelArray) -> FloatArray:
        return np.full_like(super().encode(pixels), np.nan)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a collection of twelve photos that was taken over."""
    monkeypatch.chdir(tmp_path)
    take_over(CountingEncoder())
    return tmp_path


def take_over(encoder: CountingEncoder, metric: str | None = None, scale: float = 1) -> None:
    shutil.rmtree("old", ignore_errors=True)
    shutil.rmtree("index_data", ignore_errors=True)
    names = sorted(str(path) for path in Path("photos").rglob("*.*"))
    write_files(Path("old"), names, scale * embeddings_of(names, CountingEncoder()))
    import_legacy("old", "index_data", model=encoder, metric=metric)  # type: ignore[arg-type]


def recorded() -> tuple[str, str]:
    with Collection.open("index_data") as collection:
        info = collection.info()
        return info.encoder, info.fingerprint


def query() -> Image.Image:
    return draw(1)  # one of the PNG files, which keep every pixel


def test_nothing_is_known_until_the_encoder_is_used() -> None:
    with Collection.open("index_data") as collection:
        collection.search(1)
        collection.measure_recall(2)
        collection.rebuild("exact")
        collection.remove(5)
    assert recorded() == ("colour-texture", "")


def test_the_encoder_is_compared_once_and_recorded() -> None:
    encoder = CountingEncoder()
    with Collection.open("index_data", encoder=encoder) as collection:
        collection.search(query())
        assert encoder.count == 8 * 2 + 1  # as it is seen here, and as the recipe sees it
        collection.search(query())
        assert encoder.count == 8 * 2 + 2
    assert recorded() == ("colour-texture", encoder.fingerprint)
    with Collection.open("index_data", encoder=encoder) as collection:
        collection.search(query())
        assert encoder.count == 8 * 2 + 3


def test_the_encoder_of_that_name_is_found_and_recorded() -> None:
    with Collection.open("index_data") as collection:
        assert collection.search(query(), k=1)[0].score == 1
    assert recorded() == ("colour-texture", CountingEncoder.fingerprint)


def test_other_arithmetic_is_the_same_model() -> None:
    with Collection.open("index_data", encoder=Nearly()) as collection:
        collection.search(query())
    assert recorded()[1] == "nearly;1"
    with pytest.raises(CollectionMismatchError, match="nearly;1"):
        Collection.open("index_data", encoder=CountingEncoder())


def test_another_model_is_refused_with_the_figures_each_time(place: Path) -> None:
    with Collection.open("index_data", encoder=Reversed()) as collection:
        for _ in range(2):
            with pytest.raises(CollectionMismatchError) as caught:
                collection.search(query())
        message = str(caught.value)
        assert "of 8 pictures that were encoded again, 8 have other" in message
        cosine = re.search(r"cosine (\S+) for (.*?), expected 0.99", message)
        assert cosine
        assert -1 <= float(cosine[1]) < 0.99
        assert cosine[2].startswith(str(place / "photos"))
        assert "--model" in message
        with pytest.raises(CollectionMismatchError):
            collection.sync("photos")
        with pytest.raises(CollectionMismatchError):
            collection.add("photos/picture 0.jpg")
        assert len(collection.search(1)) == 10
    assert recorded() == ("colour-texture", "")


def test_what_is_no_embedding_is_another_model() -> None:
    with (
        Collection.open("index_data", encoder=Unfinished()) as collection,
        pytest.raises(CollectionMismatchError, match=r"cosine 0.000"),
    ):
        collection.search(query())


def test_another_dimension_is_refused_at_once() -> None:
    with pytest.raises(CollectionMismatchError) as caught:
        Collection.open("index_data", encoder=Wider())
    assert (caught.value.stored, caught.value.given) == (1152, 2000)


def test_another_name_may_be_tried_until_one_fits() -> None:
    take_over(Reversed())
    with (
        Collection.open("index_data") as collection,
        pytest.raises(EncoderUnavailableError, match="reversed"),
    ):
        collection.search(query())
    with pytest.raises(CollectionMismatchError, match="1280"):
        Collection.open("index_data", encoder="efficientnet-lite0")
    with Collection.open("index_data", encoder="colour-texture") as collection:
        collection.search(query())
    assert recorded() == ("colour-texture", CountingEncoder.fingerprint)
    with pytest.raises(CollectionMismatchError):
        Collection.open("index_data", encoder="efficientnet-lite0")


def test_without_a_file_to_compare_with_it_is_believed_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shutil.rmtree("photos")
    with Collection.open("index_data", encoder=Reversed()) as collection:
        collection.search(query())
    assert "can't be verified; assuming they were" in caplog.text
    assert recorded() == ("reversed", "reversed;1")


def test_where_nothing_was_taken_over_there_is_nothing_to_say(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Collection.open("index_data", encoder=Reversed()) as collection:
        collection.remove("photos")
        assert collection.sync("photos").encoded == 12
    assert not caplog.text
    assert recorded() == ("reversed", "reversed;1")


def test_files_that_changed_are_not_compared(make_picture: MakePicture) -> None:
    paths = sorted(Path("photos").rglob("*.*"))
    for path in paths[:11]:
        status = path.stat()
        make_picture(path, 99)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    paths[5].write_bytes(b"no picture")
    paths[6].unlink()
    encoder = CountingEncoder()
    with Collection.open("index_data", encoder=encoder) as collection:
        collection.search(query())
    assert encoder.count == 1 * 2 + 1


def test_pictures_are_compared_as_the_recipe_saw_them_too(place: Path) -> None:
    """With a colour profile that swaps red and green, that is far from how they are seen here."""
    profile = (Path(__file__).parent / "swapped.icc").read_bytes()
    shutil.rmtree("photos")
    Path("photos").mkdir()
    for seed in range(3):
        draw(seed).save(f"photos/{seed}.png", icc_profile=profile)
    take_over(CountingEncoder())
    with Collection.open("index_data", encoder=CountingEncoder()) as collection:
        assert collection.search("photos/0.png", k=1)[0].score < 0.9
    assert recorded()[1] == CountingEncoder.fingerprint


def test_lengths_count_where_the_metric_says_so() -> None:
    take_over(CountingEncoder(), scale=7)
    with (
        Collection.open("index_data", encoder=CountingEncoder()) as collection,
        pytest.raises(CollectionMismatchError, match=r"0.143 times as long.*--metric cosine"),
    ):
        collection.search(query())
    take_over(CountingEncoder(), metric="cosine", scale=7)
    with Collection.open("index_data", encoder=CountingEncoder()) as collection:
        assert collection.search(query(), k=1)[0].score == 1


# Recording it


def test_while_another_process_writes_it_is_used_and_recorded_later() -> None:
    encoder = CountingEncoder()
    with Collection.open("index_data", encoder=encoder) as collection:
        with writer_lock("index_data"):
            collection.search(query())
            compared = encoder.count
            assert compared == 8 * 2 + 1
        collection.search(query())
        assert encoder.count == compared + 1
        assert recorded()[1] == ""
        report = collection.sync("photos")
        assert (report.unchanged, encoder.count) == (12, compared + 1)
    assert recorded()[1] == encoder.fingerprint


def test_what_another_process_recorded_meanwhile_counts() -> None:
    with Collection.open("index_data", encoder=CountingEncoder()) as collection:
        with Collection.open("index_data", encoder=Nearly()) as other:
            other.search(query())
        with pytest.raises(CollectionMismatchError, match="nearly;1"):
            collection.sync("photos")
    assert recorded()[1] == "nearly;1"


_READ_ONLY = """
import sys
from image_similarity_search import Collection
from image_similarity_search.encoders.colour_texture import ColourTextureEncoder

class Counting(ColourTextureEncoder):
    count = 0
    thread_safe = False
    def encode(self, pixels):
        Counting.count += len(pixels)
        return super().encode(pixels)

for _ in range(2):
    with Collection.open("index_data", encoder=Counting()) as collection:
        collection.search(sys.argv[1])
        collection.search(sys.argv[1])
        print(Counting.count)
"""


def test_a_read_only_collection_compares_each_time_it_is_opened(place: Path) -> None:
    Path("index_data/writer.lock").unlink(missing_ok=True)
    Path("index_data").chmod(0o555)
    result = subprocess.run(
        [*as_anybody(), sys.executable, "-c", _READ_ONLY, "photos/picture 0.jpg"],
        capture_output=True,
        text=True,
        check=False,
    )
    Path("index_data").chmod(0o755)
    assert result.stdout.split() == ["18", "36"], result.stderr
    assert recorded()[1] == ""

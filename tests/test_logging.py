"""What is logged, and what is not."""

from __future__ import annotations

import ast
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

import image_similarity_search
from image_similarity_search.collection import Collection

_PACKAGE = Path(image_similarity_search.__file__).parent
_LIBRARY = [path for path in _PACKAGE.rglob("*.py") if not {"cli", "service"} & set(path.parts)]
_ISS = [sys.executable, "-m", "image_similarity_search"]


@pytest.mark.parametrize("module", _LIBRARY, ids=lambda path: str(path.relative_to(_PACKAGE)))
def test_the_library_writes_to_no_stream(module: Path) -> None:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name):
            assert node.id not in ("print", "input", "breakpoint"), node.lineno
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("sys", "logging"):
            assert node.attr not in ("stdout", "stderr", "stdin", "basicConfig"), node.lineno


def test_every_logger_is_named_as_its_module() -> None:
    for module in _LIBRARY:
        named = re.findall(r"^_log = logging.getLogger\((.*)\)", module.read_text("utf-8"), re.M)
        assert set(named) <= {"__name__"}, module


_PROGRAM = """
import sys
from image_similarity_search import Collection
with Collection.open(sys.argv[2], encoder="colour-texture", create=True) as collection:
    collection.sync(sys.argv[1])
    collection.search(next(iter(collection)).id)
"""


def test_without_a_configuration_nothing_but_warnings_is_seen(photos: Path, tmp_path: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"no picture")
    command = [sys.executable, "-c", _PROGRAM, str(photos), str(tmp_path / "i")]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")
    (tmp_path / "i" / "faiss.index").write_bytes(b"damaged")
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stdout == ""
    assert "rebuilding it" in done.stderr


def test_a_skipped_file_is_a_line_and_every_decision_is_another(
    collection: Collection, photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "image_similarity_search")
    bad = photos / "bad.jpg"
    bad.write_bytes(b"no picture")
    collection.sync(photos)
    first = caplog.messages
    (line,) = [m for m in first if m.startswith(f"{bad}: skipped: ")]
    assert line.endswith(next(iter(collection.skipped())).reason or "?")
    assert f"{photos / 'picture 0.jpg'}: new" in first
    assert f"{photos / 'picture 0.jpg'}: encoded" in first
    caplog.clear()

    moved, gone = photos / "moved.png", photos / "picture 8.webp"
    (photos / "picture 4.png").rename(moved)
    (photos / "copy.jpg").write_bytes((photos / "picture 0.jpg").read_bytes())
    alias = photos / "alias.jpg"
    alias.symlink_to(photos / "picture 8.webp")
    collection.add(alias)
    alias.unlink()
    alias.symlink_to(photos / "holiday" / "picture 1.png")
    (photos / "picture 0.jpg").touch()
    gone.unlink()
    collection.sync(photos)
    second = caplog.messages
    assert any(m.startswith(f"{bad}: still skipped: ") for m in second)
    assert any(m.startswith(f"{moved}: moved here, image ") for m in second)
    assert f"{photos / 'copy.jpg'}: a copy of {photos / 'picture 0.jpg'}" in second
    assert f"{photos / 'picture 0.jpg'}: same content, only its time changed" in second
    assert f"{gone}: removed, its file is gone" in second
    real = photos / "holiday" / "picture 1.png"
    assert f"{alias}: ignored: a link to holiday/picture 1.png, which is indexed itself" in second
    assert f"{alias}: removed, a link to {real}, which has its tags now" in second
    assert f"{photos / 'holiday' / 'picture 1.png'}: unchanged" in second

    skipped = (record for record in caplog.records if ": still skipped" in record.getMessage())
    levels = {record.levelno for record in skipped}
    assert levels == {logging.INFO}
    assert all(record.name.startswith("image_similarity_search.") for record in caplog.records)


def test_names_that_are_no_text_can_be_logged(photos: Path, tmp_path: Path) -> None:
    (photos / "bad \udcff\n.jpg").write_bytes(b"no picture")
    done = subprocess.run(
        [*_ISS, "-v", "index", photos, "--model", "colour-texture", "--index-dir", tmp_path / "i"],
        capture_output=True,
        check=True,
    )
    (line,) = [line for line in done.stderr.splitlines() if b"skipped: " in line]
    assert line.startswith(b"iss: ")
    assert b"bad \\udcff\\n.jpg: skipped: " in line


@pytest.mark.parametrize(
    ("options", "info", "debug"),
    [([], False, False), (["-v"], True, False), (["-vv"], True, True), (["-v", "-v"], True, True)],
)
def test_verbose_says_why_and_twice_says_all(
    photos: Path, tmp_path: Path, options: list[str], info: bool, debug: bool
) -> None:
    (photos / "bad.jpg").write_bytes(b"no picture")
    done = subprocess.run(
        [*_ISS, *options, "index", photos, "--model", "colour-texture"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        text=True,
    )
    assert ("bad.jpg: skipped: not a supported image format" in done.stderr) == info
    assert ("picture 0.jpg: encoded" in done.stderr) == debug
    assert len(done.stdout.splitlines()) == 1

"""What the documents show is run, and what they name exists.

In README.md, docs/*.md and docs/cli/*.md every block marked ``python`` is executed, and every line
of a block marked ``sh`` (all of its lines) or ``console`` (those after ``$``) is run by a shell, in
order, in a folder that has ``images/``, ``query_image.jpg``, ``my_image.jpg`` and
``new_image.jpg``. The Python blocks of a file share their names. What a console block shows below a
command is compared with what the command prints; ``...`` stands for anything.

A block that can't be run has ``<!-- not run: why -->`` on the line above it.
"""

from __future__ import annotations

import ast
import itertools
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
import pytest
from command_line import run_here
from conftest import MakePicture, draw

from image_similarity_search.catalog import schema
from image_similarity_search.cli import duplicate_groups, evaluation_report, exits, output
from image_similarity_search.cli.app import app
from image_similarity_search.cli.commands import (
    clusters,
    explain,
    import_,
    map_,
    models,
    outliers,
)
from image_similarity_search.cli.filter_options import filtered
from image_similarity_search.collection.explaining.explanation import (
    Compared,
    Explanation,
    Match,
    Seen,
)
from image_similarity_search.duplicates import Deed, Duplicate, DuplicateReport
from image_similarity_search.encoders.table import ENCODERS
from image_similarity_search.evaluation import (
    Estimate,
    EvaluationReport,
    FigureComparison,
    GroupQuality,
    QueryQuality,
)
from image_similarity_search.reports import (
    CollectionInfo,
    ImportReport,
    LegacyImportReport,
    Problem,
    RecallReport,
    RepairReport,
    SyncReport,
    ThumbnailReport,
    VerifyReport,
    WatchEvent,
)
from image_similarity_search.types import Hit, ImageRecord, Region
from image_similarity_search.understanding import Cluster, ClusterReport, Outlier, OutlierReport

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
RUN = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("cli/*.md"))]
ALL = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]

_RUNNABLE = {"python", "sh", "console"}
_PLAIN = re.compile(r"""(?:[\w ./:=,@%+-]|'[^']*'|"[^"$`\\]*")*""")
_DATA = {"text", "json", "sql"}  # shows something, does nothing
_FENCE = re.compile(r" *(```+|~~~+) *(\S*)")
_NOT_RUN = re.compile(r"<!-- not run: \S.*-->")
# what a line to be run may begin with: the command line itself, and what a file is handled with
_MAY_RUN = {"cat", "cp", "find", "iss", "mkdir", "mv", "printf", "rm", "touch"}


@dataclass(frozen=True)
class Block:
    """A fenced block: the line of its fence, what it is marked as, and whether it is not run."""

    line: int
    language: str
    text: str
    excused: bool


def blocks_of(document: Path) -> Iterator[Block]:
    lines = enumerate(document.read_text(encoding="utf-8").splitlines(), 1)
    above = ""
    for number, line in lines:
        fence = _FENCE.fullmatch(line.rstrip())
        if fence:
            text = []
            for _, inner in lines:
                if inner.strip() == fence[1]:
                    break
                text.append(inner.removeprefix(line[: fence.start(1)]))
            else:
                pytest.fail(f"{document}:{number}: the block has no end")
            yield Block(number, fence[2], "\n".join(text), bool(_NOT_RUN.fullmatch(above)))
        if line.strip():
            above = line.strip()


def _ids(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.mark.parametrize("document", RUN, ids=_ids)
def test_every_block_is_run_or_says_why_not(document: Path) -> None:
    for block in blocks_of(document):
        where = f"{document}:{block.line}"
        assert block.language in _RUNNABLE | _DATA, f"{where}: mark it, as python, sh, text …"
        if block.excused or block.language not in {"sh", "console"}:
            continue
        assert commands_of(block), f"{where}: no command in it"
        for command, _ in commands_of(block):
            assert _may_run(command), f"{where}: is not run and does not say why: {command}"


def _may_run(command: str) -> bool:
    return command.split()[0] in _MAY_RUN


# a document may leave closing to the end of the process
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("document", RUN, ids=_ids)
def test_every_block_works(
    document: Path, tmp_path: Path, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = [block for block in blocks_of(document) if not block.excused]
    if any(block.language in {"sh", "console"} for block in blocks) and not shutil.which("sh"):
        pytest.skip("there is no shell")
    place = tmp_path / "place"
    furnish(place, make_picture)
    monkeypatch.chdir(place)
    shell = _shell(tmp_path / "bin")
    names: dict[str, object] = {"__name__": "documented"}
    for block in blocks:
        where = f"{document}:{block.line}"
        if block.language == "python":
            # line numbers of the document, for the traceback
            source = "\n" * block.line + block.text
            exec(compile(source, str(document), "exec", dont_inherit=True), names)
        elif block.language in {"sh", "console"}:
            for command, shown in commands_of(block):
                assert _may_run(command), f"{where}: {command}"
                done = shell(command)
                assert done.returncode == 0, f"{where}: {command}\n{done.stdout}"
                if block.language == "console":
                    assert _fits(done.stdout, shown), f"{where}: {command}\n{done.stdout}"


def furnish(place: Path, make_picture: MakePicture) -> None:
    """What the documents suppose to be there."""
    for seed, name in enumerate(
        ["a.jpg", "b.png", "c.jpg", "d.webp", "below/e.jpg", "below/f.jpg"]
    ):
        make_picture(place / "images" / name, seed)
    shutil.copy(place / "images" / "a.jpg", place / "query_image.jpg")
    make_picture(place / "my_image.jpg", 2, quality=60)
    make_picture(place / "new_image.jpg", 90)


def _shell(folder: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Runs a line as a shell does that finds ``iss``; standard error goes to standard output."""
    folder.mkdir()
    iss = folder / "iss"
    python = shlex.quote(sys.executable)
    iss.write_text(f'#!/bin/sh\nexec {python} -m image_similarity_search "$@"\n')
    iss.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUTF8": "1",
    }

    def run(line: str) -> subprocess.CompletedProcess[str]:
        if line.startswith("iss ") and _PLAIN.fullmatch(line):  # the shell would only split it
            done = run_here(shlex.split(line)[1:], together=True)
            return subprocess.CompletedProcess(line, done.status, done.out)
        return subprocess.run(
            ["sh", "-c", line],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="backslashreplace",
            env=environment,
            check=False,
        )

    return run


def commands_of(block: Block) -> list[tuple[str, str]]:
    """Each command of a shell block, and what is shown below it."""
    text = block.text.replace("\\\n", " ")
    if block.language == "sh":
        lines = [line.strip() for line in text.splitlines()]
        return [(line, "") for line in lines if line and not line.startswith("#")]
    shown = re.split(r"^\$ (.*)$", text, flags=re.MULTILINE)[1:]
    return list(zip(shown[::2], shown[1::2], strict=True))


def _fits(printed: str, shown: str) -> bool:
    pattern = re.escape(shown.strip()).replace(r"\.\.\.", ".*")
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def test_the_reading_of_blocks(tmp_path: Path) -> None:
    document = tmp_path / "x.md"
    document.write_text(
        "- item\n\n  ```console\n  $ iss a \\\n      b\n  1 ... 2\n  $ iss c\n  ```\n"
        "<!-- not run: no camel -->\n```sh\n# a remark\nride camel\n```\n```\nno mark\n```\n"
    )
    first, second, third = blocks_of(document)
    ((command, shown), last) = commands_of(first)
    assert command.split() == ["iss", "a", "b"]
    assert last == ("iss c", "")
    assert _fits("1 and then 2\n", shown)
    assert not _fits("1 and then 3\n", shown)
    assert (first.line, first.excused, second.excused, third.excused) == (3, False, True, False)
    assert commands_of(second) == [("ride camel", "")]
    assert (second.language, third.language) == ("sh", "")


# Links

_LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?\)")


def _prose(document: Path) -> str:
    """The text without blocks and code."""
    text = re.sub(r"^ *```.*?^ *```", "", document.read_text("utf-8"), flags=re.S | re.M)
    return re.sub(r"`[^`]*`", "code", text)


def _anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    text = re.sub(r"^ *```.*?^ *```", "", document.read_text("utf-8"), flags=re.S | re.M)
    headings = re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("document", ALL, ids=_ids)
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    for target in _LINK.findall(_prose(document)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        leads_to = document.parent / path if path else document
        assert leads_to.exists(), f"{document}: {target}"
        assert not anchor or anchor in _anchors(leads_to), f"{document}: {target}"


# The command line

COMMAND_LINE = DOCS / "command-line.md"
IMAGE_FIELDS = "[image fields](../command-line.md#image-fields)"
_INDEX_FIELDS = "| fields of [`iss index`](#iss-index) | all but `interrupted` |"


def sections() -> dict[str, str]:
    """The part of the command line's documents that is about each command."""
    sections: dict[str, str] = {}
    for document in sorted(DOCS.glob("cli/*.md")):
        parts = re.split(r"^## `iss ([\w-]+)`$", document.read_text("utf-8"), flags=re.MULTILINE)
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            assert name not in sections, f"{document}: {name}"
            sections[name] = text.split("\n## ")[0]
    return sections


def _fields(text: str) -> set[str]:
    """The fields that tables of a text describe."""
    return set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))


def _described_fields(section: str) -> set[str]:
    """The fields that the section of a command describes, itself or by a link."""
    described = _fields(section)
    if IMAGE_FIELDS in section:
        text = COMMAND_LINE.read_text("utf-8")
        described |= _fields(text.split("\n## Image fields\n")[1].split("\n## ")[0])
    if _INDEX_FIELDS in section:
        described |= _fields(sections()["index"]) - {"interrupted"}
    return described


def test_every_command_is_listed_with_a_link_to_its_section() -> None:
    text = COMMAND_LINE.read_text("utf-8")
    listed = re.findall(r"^\| \[`iss ([\w-]+)`\]\(cli/[\w-]+\.md#iss-([\w-]+)\) \|", text, re.M)
    assert all(name == anchor for name, anchor in listed)
    assert sorted(name for name, _ in listed) == sorted(app.list_commands(click.Context(app)))


def test_every_command_and_option_is_described_and_no_other() -> None:
    context = click.Context(app)
    described_in = sections()
    of_a_filter = getattr(filtered(lambda: None), "__click_params__")  # noqa: B009 - click's own
    conditions = {name for option in of_a_filter for name in option.opts}
    assert sorted(described_in) == sorted(app.list_commands(context))
    for name, text in described_in.items():
        command = app.get_command(context, name)
        assert command is not None
        options = {
            option
            for parameter in command.params
            if isinstance(parameter, click.Option)
            for option in (*parameter.opts, *parameter.secondary_opts)
        }
        first_cells = re.findall(r"^\| (`-.*?) \|", text, re.MULTILINE)
        described = {
            word
            for cell in first_cells
            for word in re.findall(r"(?<![\w-])--?[a-z0-9][\w-]*", cell)
        }
        if name != "search" and "| [filters](searching.md#filters) |" in text:  # which has them
            described |= conditions
        assert described == options, name


def _explanation() -> Explanation:
    parts, seen = np.zeros((1, 1), np.float32), Seen(draw(1), Region(0, 0, 1, 1))
    return Explanation(Compared("places", "cosine", 1.0, 0.0, 1.0, parts, parts), seen, seen)


def test_every_json_field_is_described() -> None:
    record = ImageRecord(1, "a", 1, 1, None, 1, 1, "indexed")
    info = CollectionInfo("", "", "", 1, "cosine", "", "", 1, 0, [], 0, 0, 0, 0)
    fields = {
        "index": output.report_as_json(SyncReport(), interrupted=False),
        "watch": output.event_as_json(WatchEvent("", "synced")),
        "search": output.hit_as_json(1, Hit(record, 0.0, 1.0)) | {"query": "", "hits": ""},
        "explain": explain.explanation_as_json(_explanation(), "", "")
        | explain.explanation_as_json(_explanation(), "", "")["query"]
        | asdict(Match((0, 0), (0, 0), 0.0)),
        "duplicates": duplicate_groups.report_as_json(DuplicateReport(), {})
        | duplicate_groups.duplicate_as_json(Duplicate(record, "exact", 1.0))
        | asdict(Deed("", "", "", 0))
        | {
            "keep": "",
            "goes": "",
            "thorough": "",
            "references": "",
            "between": "",
            "folder": "",
            "model": "",
            "others": "",
            "why": "",
            "deeds": "",
            "done": "",
            "remembered": "",
        },
        "clusters": clusters.report_as_json(ClusterReport())
        | clusters.cluster_as_json(Cluster(np.array([1]), 1.0, (record,), (1.0,)))
        | {"id": "", "path": "", "cosine": ""},
        "outliers": outliers.report_as_json(OutlierReport())
        | outliers.outlier_as_json(Outlier(record, 1.0, 1.0, (Hit(record, 0.0, 1.0),)))
        | {"score": ""},
        "map": map_.place_as_json(1, "", 0.0, 0.0),
        "evaluate": evaluation_report.report_as_json(EvaluationReport(), 1)
        | evaluation_report.query_as_json(QueryQuality(record, "", 1, 1, {}, None, 0.0))
        | asdict(GroupQuality("", 1, 1, {}))
        | asdict(FigureComparison(1.0, 1.0, Estimate(1.0)))
        | asdict(Estimate(1.0))
        | {"against": "", "differs": ""},
        "add": output.record_as_json(record),
        "models": models.row_as_json(ENCODERS["resnet50"]),
        "import": import_.report_as_json(ImportReport("cosine")),
        "import-legacy": asdict(LegacyImportReport("l2")),
        "move": output.moved_as_json(info),
        "verify": output.verify_as_json(VerifyReport(), RepairReport())
        | asdict(Problem("store", ""))
        | asdict(RepairReport()),
        "thumbnails": asdict(ThumbnailReport()),
        "info": asdict(info)
        | {"recall": ""}
        | asdict(RecallReport(1, 1, 1.0, 0.0, 0.0))
        | output.record_as_json(record),
    }
    for name, values in fields.items():
        assert _described_fields(sections()[name]) == set(values), name


def test_every_message_of_the_questions_is_one_that_is_said() -> None:
    """In pieces: what stands for a value, as ``model``, and who is writing, are put in."""
    said = "\n".join(
        "".join(
            str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values
        )
        if isinstance(node, ast.JoinedStr)
        else str(node.value)
        for file in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.JoinedStr)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    )
    table = (DOCS / "faq.md").read_text(encoding="utf-8").partition("| You see |")[2]
    messages = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(messages) > 8
    for message in messages:
        for piece in re.split(r"\.\.\.| N |model|(?= is writing to)", message):
            assert piece.strip(" :") in said, message


def test_every_exit_status_is_described() -> None:
    text = COMMAND_LINE.read_text("utf-8")
    described = {int(number) for number in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    fixed = {exits.OK, exits.FAILED, exits.USAGE, exits.FOUND, exits.INTERRUPTED}
    assert described == fixed | set(exits.EXIT_STATUS.values())


# The storage format and the decisions


def test_every_table_and_column_is_described() -> None:
    text = (DOCS / "storage-format.md").read_text("utf-8")
    parts = re.split(r"^### `(\w+)`$", text, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(schema.SCHEMA)
        tables = database.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        ).fetchall()
        assert set(sections) == {name for (name,) in tables}
        for name, section in sections.items():
            columns = database.execute("SELECT name, type FROM pragma_table_info(?)", (name,))
            described = re.findall(
                r"^\| `(\w+)` \| (TEXT|INTEGER|REAL|BLOB) ", section, re.MULTILINE
            )
            assert described == columns.fetchall(), name


def test_every_decision_is_listed_and_short() -> None:
    index = (DOCS / "decisions" / "README.md").read_text("utf-8")
    for record in sorted((DOCS / "decisions").glob("0*.md")):
        assert f"({record.name})" in index
        text = record.read_text("utf-8")
        prose = [line for line in text.splitlines() if not line.startswith("|")]
        assert len(prose) < 60, record
        for heading in ("Context", "Decision", "Consequences", "Considered"):
            assert f"\n## {heading}" in text, record


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *itertools.chain(*project["optional-dependencies"].values()),
    ]
    names = {re.split(r"[^\w-]", requirement)[0] for requirement in wanted}
    text = (DOCS / "decisions" / "0002-dependencies.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE)) == names


@pytest.mark.parametrize("document", ALL, ids=_ids)
def test_nothing_is_left_to_fill_in(document: Path) -> None:
    assert "@@" not in document.read_text("utf-8")

"""Quality measured on collections, beside a naive computation of it."""

from __future__ import annotations

import os
import shutil
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import draw
from hypothesis import given, settings
from hypothesis import strategies as st

from image_similarity_search import Collection, Filter, compare_evaluations, vectors
from image_similarity_search.collection.evaluation import ranks
from image_similarity_search.collection.evaluation.labels_file import rows_of
from image_similarity_search.encoders.colour_texture import ColourTextureEncoder
from image_similarity_search.errors import ConfigError
from image_similarity_search.evaluation import QueryQuality
from image_similarity_search.types import METRICS, FloatArray, Hit, Metric, Progress

_COUNT = 16
_KS = (1, 3, 20)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen pictures, two of which are the same, in three folders and beside them."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(_COUNT - 1):
        below = folder / ("", "a", "b", "b/c")[seed % 4]
        below.mkdir(exist_ok=True)
        draw(seed, (32, 24)).save(below / f"{seed:02}.png")
    shutil.copy(folder / "b/02.png", folder / "b/02 again.png")
    return folder


@pytest.fixture(scope="module")
def collections(
    tmp_path_factory: pytest.TempPathFactory, pictures: Path
) -> Iterator[dict[Metric, Collection]]:
    """A collection of the pictures for each metric."""
    made: dict[Metric, Collection] = {}
    for metric in METRICS:
        place = tmp_path_factory.mktemp("index")
        made[metric] = Collection.open(
            place, encoder=ColourTextureEncoder(), metric=metric, create=True
        )
        made[metric].sync(pictures)
    yield made
    for collection in made.values():
        collection.close()


@pytest.fixture
def compared(collections: dict[Metric, Collection]) -> Collection:
    return collections["cosine"]


def _naive(
    embeddings: dict[int, FloatArray], groups: dict[int, str], metric: Metric
) -> dict[int, dict[str, float]]:
    """The figures of each query, the slow way."""
    out = {}
    for query, group in groups.items():
        others = [id_ for id_ in embeddings if id_ != query]
        right = [id_ for id_ in others if groups.get(id_) == group]
        if not right:
            continue
        rows = np.array([embeddings[id_] for id_ in others])
        far = vectors.distances(embeddings[query], rows, metric).tolist()
        order = [id_ for _, id_ in sorted(zip(far, others, strict=True))]
        hits = [id_ in right for id_ in order]
        precisions = [sum(hits[: i + 1]) / (i + 1) for i in range(len(hits)) if hits[i]]
        out[query] = {
            "mAP": sum(precisions) / len(right),
            **{f"P@{k}": sum(hits[:k]) / k for k in _KS},
            **{f"R@{k}": sum(hits[:k]) / len(right) for k in _KS},
        }
    return out


@settings(max_examples=60, deadline=None)
@given(
    metric=st.sampled_from(METRICS),
    labels=st.lists(st.sampled_from(["x", "y", "z", None]), min_size=_COUNT, max_size=_COUNT),
    searched=st.booleans(),
)
def test_the_figures_are_those_of_a_naive_computation(
    collections: dict[Metric, Collection],
    metric: Metric,
    labels: list[str | None],
    searched: bool,
) -> None:
    collection = collections[metric]
    records = list(collection)
    groups = {
        one.id: label for one, label in zip(records, labels, strict=True) if label is not None
    }
    truth = {one.path: groups[one.id] for one in records if one.id in groups}
    embeddings = dict(
        zip(
            [one.id for one in records],
            vectors.comparable(collection.embed([one.path for one in records]), metric),
            strict=True,
        )
    )
    expected = _naive(embeddings, groups, metric)
    if not expected:
        with pytest.raises(ConfigError, match="a group of two"):
            collection.evaluate(truth, k=_KS)
        return
    report = collection.evaluate(truth, k=_KS, depth=_COUNT if searched else None)
    assert [query.image.id for query in report.queries] == sorted(expected)
    for query in report.queries:
        shown = {name: query.figures[name] for name in expected[query.image.id]}
        assert shown == pytest.approx(expected[query.image.id])
    for name in ("mAP", "P@1", "R@20"):
        mean = np.mean([figures[name] for figures in expected.values()])
        assert report.figures[name].value == pytest.approx(mean)
    means = [
        np.mean([expected[id_]["mAP"] for id_ in expected if groups[id_] == group.name])
        for group in report.groups
    ]
    assert report.figures["mAP of groups"].value == pytest.approx(np.mean(means))
    assert [group.figures["mAP"] for group in report.groups] == pytest.approx(means)
    assert report.ungrouped == labels.count(None)


def test_folders_are_groups(compared: Collection, pictures: Path) -> None:
    report = compared.evaluate("folders")
    assert {group.name: group.images for group in report.groups} == {"a": 4, "b": 5, "b/c": 3}
    assert (report.images, report.ungrouped, len(report.queries)) == (_COUNT, 4, 12)
    assert "N-S" not in report.figures
    copies = [query for query in report.queries if "02" in Path(query.image.path).name]
    assert [query.first for query in copies] == [1, 1]


def test_groups_of_four_have_an_n_s(compared: Collection, pictures: Path) -> None:
    paths = [os.fspath(pictures / f"{seed:02}.png") for seed in (0, 4, 8, 12)]
    report = compared.evaluate(dict.fromkeys(paths, "four"))
    found = [
        sum(hit.path in paths for hit in compared.search(query.image.id, 3))
        for query in report.queries
    ]
    assert report.figures["N-S"].value == pytest.approx(1 + np.mean(found))
    assert report.figures["N-S"].low is None


def test_a_file_of_paths_and_groups(compared: Collection, pictures: Path, tmp_path: Path) -> None:
    file = tmp_path / "groups.csv"
    below = os.path.relpath(pictures, tmp_path)
    file.write_text(
        f'Path,Group\n{below}/00.png,"one, or more"\n\n{pictures}/04.png,"one, or more"\n'
        f"{below}/gone.png,other\n{below}/08.png,alone\n",
        encoding="utf-8-sig",
    )
    report = compared.evaluate(file)
    assert [(group.name, group.images) for group in report.groups] == [("one, or more", 2)]
    assert report.missing == [os.path.join(tmp_path, below, "gone.png")]
    assert len(report.queries) == 2
    assert report.group_of.keys() == {
        compared.get(pictures / f"{n}.png").id for n in ("00", "04", "08")
    }


_TABLES = {  # what programs write, but for the rows behind the first
    "two columns": ("{path},{group}\n", ""),
    "pandas, with its index": (",path,label\n0,{path},{group}\n", "1,{path},{group}\n"),
    "other columns": ("split,Label,File_Name\ntrain,{group},{path}\n", "val,{group},{path}\n"),
    "the group first": ("class;image\n{group};{path}\n", "{group};{path}\n"),
    "tabs": ("path\tspecies\n{path}\t{group}\n", "{path}\t{group}\n"),
}


@pytest.mark.parametrize("name", _TABLES)
def test_tables_of_other_programs(
    compared: Collection, pictures: Path, tmp_path: Path, name: str
) -> None:
    begin, row = _TABLES[name]
    said = [("00.png", "7"), ("04.png", "7"), ("08.png", ""), ("12.png", "")]
    lines = [
        (begin, row or begin)[at > 0].format(path=p, group=g) for at, (p, g) in enumerate(said)
    ]
    (tmp_path / "labels").write_text("".join(lines))
    report = compared.evaluate(tmp_path / "labels", relative_to=pictures)
    assert report.sizes == {"7": 2}
    assert (report.missing, len(report.queries)) == ([], 2)


def test_a_parquet_table(compared: Collection, pictures: Path, tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"id": [1, 2, 3], "label": [7, 7, None], "path": ["00.png", "04.png", "08.png"]}
    parquet.write_table(pa.table(columns), tmp_path / "labels.parquet")
    report = compared.evaluate(tmp_path / "labels.parquet", relative_to=pictures)
    assert (report.sizes, report.missing, len(report.queries)) == ({"7": 2}, [], 2)
    parquet.write_table(pa.table({"id": [1], "n": [1], "m": [2]}), tmp_path / "labels.parquet")
    with pytest.raises(
        ConfigError, match=r"which columns of .* begins with: id, n, m; expected two"
    ):
        compared.evaluate(tmp_path / "labels.parquet")


def test_a_mapping_has_paths_or_ids(compared: Collection, pictures: Path) -> None:
    one, other = compared.get(pictures / "00.png"), compared.get(pictures / "04.png")
    third = pictures / "08.png"
    report = compared.evaluate({one.id: 1, np.int64(other.id): 1, third: None, 999: 1})
    assert (report.sizes, report.missing) == ({"1": 2}, ["999"])
    relative = compared.evaluate({"00.png": 1, "04.png": 1}, relative_to=pictures)
    assert [query.image for query in relative.queries] == [one, other]
    for wrong in ({(1, 2): "x"}, {True: "x"}):
        with pytest.raises(ConfigError, match="expected paths or ids of images"):
            compared.evaluate(wrong)
    with pytest.raises(ConfigError, match=r"relative_to is .*; expected a truth with paths"):
        compared.evaluate("folders", relative_to=pictures)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a.png,x\na.png,y\n", "row 2.*one group per image, not also 'x'"),
        ("path,group\na.png\n", "row 2: a.png'; expected 2 values"),
        ("split;path;label\ntrain;;x\n", "row 2: train, , x'; expected 3 values, with a path"),
        ("a.png,x,y\n", "which columns of .* It begins with: a.png, x, y; expected two .*header"),
        ("a.png\n", "which columns of .* It begins with: a.png; expected two .*header"),
        ('a.png\tx\nx\t"b.png\n' + "c.png\tx\n" * 20_000, r"row 2.*closing quotation mark"),
        ("a.png,x\nb.png,gr\udcfcn\n", "row 2.*expected groups in UTF-8"),
        ("PAR1 and no more", "a damaged Parquet file"),
        ("a.png,x\n", "no path in .* is an image of the collection"),
        ("", "no group in .* has two images of the collection"),
    ],
)
def test_a_file_that_makes_no_sense_says_where(
    compared: Collection, tmp_path: Path, text: str, problem: str
) -> None:
    file = tmp_path / "groups.csv"
    file.write_text(text, errors="surrogateescape")
    with pytest.raises(ConfigError, match=problem):
        compared.evaluate(file)


@pytest.mark.parametrize("begin", ["path,label\n", ""])  # one delimiter is likely, or two are
def test_a_table_is_read_row_by_row(tmp_path: Path, begin: str) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(begin + "a picture.png,a group;of two\n" * 20_000)
    tracemalloc.start()
    try:
        assert sum(group == "a group;of two" for _, _, group in rows_of(str(file))) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_a_file_that_is_not_there(compared: Collection, tmp_path: Path) -> None:
    expected = "expected 'folders', 'folder-names', 'column:NAME', or a file of paths and groups"
    for file, why in (
        (tmp_path / "none.csv", "there is no such file"),
        (tmp_path, "can't be read: "),
    ):
        with pytest.raises(ConfigError) as refused:
            compared.evaluate(file)
        assert str(refused.value).startswith(f"truth is {str(file)!r}; {expected} (")
        assert why in str(refused.value)
        assert "Errno" not in str(refused.value)


def test_two_names_of_one_image_are_in_one_group(compared: Collection, pictures: Path) -> None:
    one, same = pictures / "00.png", f"{pictures}/a/../00.png"
    with pytest.raises(ConfigError, match="one group per image, not also 'x'"):
        compared.evaluate({os.fspath(one): "x", same: "y"})


@pytest.mark.parametrize("said", [{"k": [0]}, {"depth": 0}, {"sample": -1}, {"k": ["5"]}])
def test_numbers_that_make_no_sense(compared: Collection, said: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="a number of images, at least 1"):
        compared.evaluate("folders", **said)  # type: ignore[arg-type]  # that is what is tried


def test_a_sample_is_the_same_every_time(compared: Collection) -> None:
    whole = {query.image.id: query for query in compared.evaluate("folders").queries}
    some = [compared.evaluate("folders", sample=5).queries for _ in range(2)]
    assert some[0] == some[1]
    assert len(some[0]) == 5
    assert all(whole[query.image.id] == query for query in some[0])


def test_only_some_images_are_searched_among(compared: Collection, pictures: Path) -> None:
    report = compared.evaluate("folders", where=Filter(folder=pictures / "b"))
    assert (report.images, {group.name for group in report.groups}) == (8, {"b", "b/c"})
    searched = compared.evaluate("folders", where=Filter(folder=pictures / "b"), depth=3)
    ((name, least),) = {"P@1": report.figures["P@1"]}.items()
    assert searched.figures[name] == least
    assert searched.figures["mAP"].value <= report.figures["mAP"].value


def test_the_worst_come_first(compared: Collection) -> None:
    report = compared.evaluate("folders")
    worst = [query.figures["mAP"] for query in report.worst_queries(5)]
    assert worst == sorted(query.figures["mAP"] for query in report.queries)[:5]
    assert report.worst_groups(1)[0].figures["mAP"] == min(
        group.figures["mAP"] for group in report.groups
    )


def _naive_fit(
    query: QueryQuality, hits: list[Hit], group_of: dict[int, str], reach: float
) -> tuple[str | None, float]:
    """What an image looks like, and how it fits its own group, the slow way."""
    count = 1 if query.right < 3 else 2
    near: dict[str, list[float]] = {}
    for hit in hits:
        if hit.id in group_of:
            near.setdefault(group_of[hit.id], []).append(max(0.0, reach - hit.distance))
    sums = {group: sum(sorted(values)[-count:]) for group, values in near.items()}
    best = max(sums.values(), default=0)
    if not best:
        return None, 0.0
    own = sums.get(query.group, 0.0)
    return (query.group if own == best else max(sums, key=sums.__getitem__)), own / best


@pytest.mark.parametrize("depth", [None, 6])
@pytest.mark.parametrize("metric", METRICS)
def test_what_an_image_looks_like(
    collections: dict[Metric, Collection], metric: Metric, depth: int | None
) -> None:
    report = collections[metric].evaluate("folders", depth=depth)
    seen = set()
    for query in report.queries:
        hits = collections[metric].search(query.image.id, depth or _COUNT)
        distances = [hit.distance for hit in hits]
        reach = np.median(distances) if depth is None else distances[-1]
        looks_like, fit = _naive_fit(query, hits, report.group_of, float(reach))
        assert query.looks_like == looks_like
        assert query.fit == pytest.approx(fit, abs=1e-5)
        seen.add((query.looks_like == query.group, query.fit == 0))
    assert {(True, False), (False, False)} <= seen


def test_an_image_in_the_wrong_group_is_told_among_groups_of_many_kinds(tmp_path: Path) -> None:
    wrong = []
    for kind in range(6):
        for view in range(4):
            group = "even" if (kind % 2 == 0) != (view == kind == 3) else "odd"
            file = tmp_path / "pictures" / group / f"{kind} {view}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            draw(kind, (96 + view, 72)).save(file)
            wrong += [os.fspath(file)] * (view == kind == 3)
    with Collection.open(
        tmp_path / "index", encoder=ColourTextureEncoder(), create=True
    ) as collection:
        collection.sync(tmp_path / "pictures")
        report = collection.evaluate("folders")
    assert [(one.image.path, one.looks_like) for one in report.mislabelled()] == [(wrong[0], "odd")]
    assert (
        report.mislabelled()[0].fit
        < 0.6
        < min(one.fit for one in report.queries if one.image.path not in wrong)
    )


def test_what_looks_like_nothing_that_has_a_group(compared: Collection, pictures: Path) -> None:
    nearest = {one.id: compared.search(one.id, _COUNT)[-1].image for one in compared}
    one = next(iter(compared))
    report = compared.evaluate({one.path: "x", nearest[one.id].path: "x"})
    assert [query.looks_like for query in report.queries if query.image.id == one.id] == [None]


def test_a_collection_compared_with_itself_does_not_differ(compared: Collection) -> None:
    report = compared.evaluate("folders")
    same = compare_evaluations(report, report)
    assert (same.queries, same.groups) == (12, 3)
    assert same.figures.keys() == report.figures.keys()
    for name, figure in same.figures.items():
        assert figure.first == figure.second == pytest.approx(report.figures[name].value)
        assert (figure.difference.low, figure.difference.high) == (0.0, 0.0)
        assert not figure.differs


def test_a_comparison_is_by_the_queries_that_both_have(
    collections: dict[Metric, Collection],
) -> None:
    first = collections["cosine"].evaluate("folders")
    second = collections["l1"].evaluate("folders", sample=9)
    compared = compare_evaluations(first, second)
    assert compared.queries == 9
    common = {query.image.path: query.figures["mAP"] for query in second.queries}
    own = [one.figures["mAP"] for one in first.queries if one.image.path in common]
    figure = compared.figures["mAP"]
    assert figure.first == pytest.approx(np.mean(own))
    assert figure.second == pytest.approx(np.mean(list(common.values())))
    assert figure.difference.value == pytest.approx(figure.second - figure.first)


def test_what_has_nothing_in_common_is_not_compared(compared: Collection, pictures: Path) -> None:
    report = compared.evaluate("folders")
    only = compared.evaluate(
        {os.fspath(pictures / "00.png"): "x", os.fspath(pictures / "04.png"): "x"}
    )
    with pytest.raises(ConfigError, match="no query in common"):
        compare_evaluations(report, only)
    paths = [query.image.path for query in report.queries]
    other = compared.evaluate(dict.fromkeys(paths, "all"))
    with pytest.raises(ConfigError, match="the same truth"):
        compare_evaluations(report, other)


def test_views_of_objects_are_found(test_data: Path, tmp_path: Path) -> None:
    """Real photographs: 20 objects, four views of each."""
    files = sorted((test_data / "ukbench").iterdir())[100:180]
    for file in files:
        (tmp_path / file.name).symlink_to(file)
    truth = {os.fspath(tmp_path / file.name): str(number // 4) for number, file in enumerate(files)}
    with Collection.open(tmp_path / "index", create=True) as collection:
        collection.sync(tmp_path)
        report = collection.evaluate(truth)
        searched = collection.evaluate(truth, depth=10)
    assert len(report.queries) == 80
    assert report.figures["N-S"].value > 3.8
    assert report.figures["mAP"].value > 0.95
    assert report.figures["P@1"] == searched.figures["P@1"]


@pytest.mark.parametrize("depth", [None, 5])
def test_images_that_are_removed_meanwhile_are_passed_over(
    compared: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: int | None
) -> None:
    own = tmp_path / "own"
    shutil.copytree(compared.info().index_dir, own)
    monkeypatch.setattr(ranks, "_COMPARED_AT_ONCE", 1)
    monkeypatch.setattr(ranks, "_SEARCHED_AT_ONCE", 1)
    with Collection.open(own, encoder=ColourTextureEncoder()) as collection:
        last = max(image.id for image in collection)

        def remove(step: Progress) -> None:
            if step.done == 1 and last in collection:
                collection.remove(last)

        before = collection.evaluate("folders")
        assert before.gone == 0
        report = collection.evaluate("folders", k=_COUNT - 2, depth=depth, progress=remove)
    assert report.gone == 1
    mates = [one for one in report.queries[1:] if one.group == before.group_of[last]]
    assert mates
    for one in mates:  # the one that is gone is the last of all, or not found
        assert one.figures[f"R@{_COUNT - 2}"] <= (one.right - 1) / one.right
    assert {one.image.id for one in report.queries} == {
        one.image.id for one in before.queries if one.image.id != last
    }


@pytest.mark.parametrize("depth", [None, _COUNT + 1])
def test_images_that_are_added_meanwhile_are_not_counted(
    compared: Collection,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    depth: int | None,
) -> None:
    own, added = tmp_path / "own", tmp_path / "more" / "again.png"
    monkeypatch.setattr(ranks, "_COMPARED_AT_ONCE", 1)
    monkeypatch.setattr(ranks, "_SEARCHED_AT_ONCE", 1)
    shutil.copytree(compared.info().index_dir, own)
    added.parent.mkdir()
    shutil.copy(pictures / "b/02.png", added)
    with Collection.open(own, encoder=ColourTextureEncoder()) as collection:

        def add(step: Progress) -> None:
            if step.done == 1:
                collection.add(added)

        before = collection.evaluate("folders", depth=depth)
        report = collection.evaluate("folders", depth=depth, progress=add)
        assert len(collection) == _COUNT + 1
    assert report.images == _COUNT
    assert report.queries == before.queries


@pytest.mark.parametrize("depth", [None, 5])
def test_it_says_how_far_it_is_from_the_start(
    compared: Collection, monkeypatch: pytest.MonkeyPatch, depth: int | None
) -> None:
    monkeypatch.setattr(ranks, "_COMPARED_AT_ONCE", 5)
    monkeypatch.setattr(ranks, "_SEARCHED_AT_ONCE", 5)
    seen: list[Progress] = []
    report = compared.evaluate("folders", depth=depth, progress=seen.append)
    assert seen[0] == Progress("evaluating", 0, None)  # before it has read the labels
    assert {step.total for step in seen[1:]} == {len(report.queries)} == {12}
    done = [step.done for step in seen]
    assert done == sorted(done)
    assert {5, 10, 12} <= set(done)

"""Indexing on a real Ray cluster of two nodes. Run with ``make test-ray``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_models as models
import pytest
from click.testing import CliRunner
from conftest import CountingEncoder, MakePicture, draw
from ray_cluster import SETTINGS, RayCluster, ray_cluster

pytest.importorskip("ray", reason="Ray is not installed (make test-ray installs it)")

from image_similarity_search.cli.app import app
from image_similarity_search.collection import Collection
from image_similarity_search.collection.cluster import loading
from image_similarity_search.collection.cluster.messages import Task
from image_similarity_search.errors import ClusterUnavailableError, ConfigError
from image_similarity_search.reports import SyncInterrupted, SyncReport
from image_similarity_search.types import Progress

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own
_MANY = 64


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    before = dict(os.environ)
    os.environ.update(SETTINGS)
    with ray_cluster(tmp_path_factory.mktemp("ray")) as running:
        yield running
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures, each another one."""
    folder = tmp_path_factory.mktemp("many")
    for seed in range(_MANY):
        draw(seed, (640, 480)).save(folder / f"{seed}.jpg")
    return folder


def _when_some_are_done(count: int, what: Callable[[], None]) -> Callable[[Progress], None]:
    """Do something once, when so many files are indexed."""
    done = False

    def watch(progress: Progress) -> None:
        nonlocal done
        if not done and progress.phase == "indexing" and progress.done >= count:
            done = True
            what()

    return watch


def _told(report: SyncReport) -> tuple[int, ...]:
    return (report.indexed, report.skipped, report.others, report.encoded, report.moved)


def test_it_gives_what_a_local_run_gives(
    cluster: RayCluster, photos: Path, make_picture: MakePicture, tmp_path: Path
) -> None:
    (photos / "broken.png").write_bytes(make_picture(tmp_path / "whole.png", 1).read_bytes()[:200])
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "text.txt").write_text("no picture")
    (photos / "copy.png").write_bytes((photos / "holiday" / "picture 1.png").read_bytes())
    with (
        Collection.open(tmp_path / "here", create=True) as here,
        Collection.open(tmp_path / "there", create=True) as there,
    ):
        local, remote = here.sync(photos), there.sync(photos, on=cluster.address)
        assert _told(remote) == _told(local)
        for mine, other in ((here, there), (there, here)):
            for image in mine:
                same = other.get(image.path)
                assert replace(same, id=image.id) == image
        assert [(bad.path, bad.reason) for bad in sorted(here.skipped(), key=lambda b: b.path)] == [
            (bad.path, bad.reason) for bad in sorted(there.skipped(), key=lambda b: b.path)
        ]
        for image in here:
            both = np.stack([c.embed([image.path])[0] for c in (here, there)])
            both /= np.linalg.norm(both, axis=1, keepdims=True)
            assert both[0] @ both[1] >= 0.9999
            (hit,) = there.search(image.path, k=1)
            assert hit.score == 1.0  # what was stored there is what is encoded here
        assert there.thumbnail(there.get(photos / "copy.png").id)[:2] == b"\xff\xd8"
        again = there.sync(photos, on=cluster.address)
        assert (again.unchanged, again.encoded) == (13, 0)


def test_a_lost_worker_costs_no_picture(cluster: RayCluster, many: Path, tmp_path: Path) -> None:
    with Collection.open(tmp_path / "index", create=True) as collection:
        watch = _when_some_are_done(8, cluster.kill_one_actor)
        report = collection.sync(many, on=cluster.address, progress=watch)
        assert (report.indexed, report.encoded, report.skipped) == (_MANY, _MANY, 0)
        assert len({image.path for image in collection}) == len(collection) == _MANY


def test_a_lost_node_costs_no_picture(cluster: RayCluster, many: Path, tmp_path: Path) -> None:
    assert cluster.nodes() == 2
    with Collection.open(tmp_path / "index", create=True) as collection:
        watch = _when_some_are_done(8, cluster.kill_node)
        report = collection.sync(many, on=cluster.address, progress=watch)
        assert (report.indexed, report.encoded, report.skipped) == (_MANY, _MANY, 0)
        assert len(collection) == _MANY
    cluster.start_node()


def test_an_interrupted_run_is_gone_on_with(
    cluster: RayCluster, many: Path, tmp_path: Path
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with Collection.open(tmp_path / "index", create=True) as collection:
        with pytest.raises(SyncInterrupted):
            collection.sync(many, on=cluster.address, progress=_when_some_are_done(8, interrupt))
        done = len(collection)
        assert 8 <= done < _MANY
        report = collection.sync(many, on=cluster.address)
        assert (report.unchanged, report.indexed) == (done, _MANY - done)


def test_nodes_with_another_model_are_refused(
    cluster: RayCluster, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_for = loading.task_for

    def another(*given: object, **named: object) -> Task:
        return replace(task_for(*given, **named), fingerprint="other")  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(loading, "task_for", another)
    with Collection.open(tmp_path / "index", create=True) as collection:
        with pytest.raises(ClusterUnavailableError, match="the same version"):
            collection.sync(photos, on=cluster.address)
        assert len(collection) == 0


def test_a_node_whose_encoder_gives_no_numbers_ends_the_run_and_skips_no_picture(
    cluster: RayCluster, photos: Path, tmp_path: Path
) -> None:
    model = tmp_path / "broken.onnx"
    model.write_bytes(models.divided(broken=True).SerializeToString())
    model.with_suffix(".toml").write_text(models.AS_THEY_ARE)
    with Collection.open(tmp_path / "index", encoder=str(model), create=True) as collection:
        with pytest.raises(
            ClusterUnavailableError, match=r"returned NaN or infinite values .* \(on "
        ):
            collection.sync(photos, on=cluster.address)
        assert not list(collection.skipped())


def test_a_model_without_a_name_is_refused(
    cluster: RayCluster, photos: Path, tmp_path: Path
) -> None:
    class Own(CountingEncoder):
        name = "own"
        fingerprint = "own;1"

    with (
        Collection.open(tmp_path / "index", encoder=Own(), create=True) as collection,
        pytest.raises(ConfigError, match="whose model has a name"),
    ):
        collection.sync(photos, on=cluster.address)


def test_the_command_line(cluster: RayCluster, photos: Path, tmp_path: Path) -> None:
    command = ["index", str(photos), "--on", cluster.address, "--index-dir", str(tmp_path / "i")]
    result = CliRunner().invoke(app, command, standalone_mode=False)
    assert result.exception is None, result.output
    assert "12" in result.output

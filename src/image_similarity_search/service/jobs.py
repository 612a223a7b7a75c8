"""Work in the background: each job a process, its state a file that all workers can read."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from image_similarity_search.service.kinds import Kind, problem
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.schemas import Job, JobKind, Problem

_KEPT = 100
_PROCESS = "image_similarity_search.service.job_process"
_LOOK_SECONDS = 0.2  # for a wish to stop
_STOP_SECONDS = 30.0
_ID = re.compile(r"[0-9a-f]{16}")
_NOT_FOUND = Kind(404, "job-not-found", "There is no such job")
_RUNNING = Kind(409, "job-running", "A job of this kind runs for the collection already")
_NO_GROUPS = Kind(404, "no-groups", "The job has no groups of duplicates")
_LOST = Kind(500, "job-lost", "The process of the job is gone")


class Jobs:
    """The jobs of a service; ``folder`` is shared by all its workers."""

    def __init__(self, folder: str) -> None:
        self._folder = os.path.join(folder, "jobs")
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        self._mine: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()

    def start(
        self, kind: JobKind, collection: str, task: Mapping[str, Any], *, root: str | None = None
    ) -> Job:
        """Begin ``task``, as ``job_process`` takes it.

        Raises:
            Refusal: a job of this kind is running for the collection.
        """
        with self._lock:
            id_ = secrets.token_hex(8)
            self._claim(_claimed(kind, collection), id_)
            now = datetime.now(UTC)
            job = Job(
                id=id_, collection=collection, kind=kind, state="running", root=root, started=now
            )
            self._write(job)
            whole = {**task, "kind": kind}
            thread = threading.Thread(target=self._run, args=(job, whole), name=f"job {id_}")
            self._mine[id_] = thread
            thread.start()
        return job

    def groups(self, id_: str) -> list[dict[str, Any]]:
        """The groups of duplicates that a job found, of images by their ids.

        Raises:
            Refusal: there is no such job, or it has found none yet.
        """
        job = self.get(id_)
        with (
            suppress(FileNotFoundError),
            open(self._path(id_, ".groups"), encoding="utf-8") as file,
        ):
            groups: list[dict[str, Any]] = json.load(file)
            return groups
        raise Refusal(_NO_GROUPS, f"it is {job.state}, and looks for {job.kind}")

    def get(self, id_: str) -> Job:
        """How far a job is.

        Raises:
            Refusal: there is none.
        """
        if _ID.fullmatch(id_):
            with suppress(FileNotFoundError), open(self._path(id_), encoding="utf-8") as file:
                state = json.load(file)
                return self._seen(Job.model_validate(state["job"]), state["owner"])
        raise Refusal(_NOT_FOUND, "GET /v1/jobs lists those that there are")

    def all(self) -> list[Job]:
        """Those of the last jobs that are still known, the newest first."""
        jobs = []
        for name in os.listdir(self._folder):
            if name.endswith(".json"):
                with suppress(Refusal):
                    jobs.append(self.get(name.removesuffix(".json")))
        return sorted(jobs, key=lambda job: (job.started, job.id), reverse=True)

    def cancel(self, id_: str) -> Job:
        """Have a job stop soon; one that has ended is left as it is.

        Raises:
            Refusal: there is none.
        """
        job = self.get(id_)
        if job.state == "running":
            with open(self._path(id_, ".stop"), "w", encoding="utf-8"):
                pass
        return job

    def close(self) -> None:
        """Have the jobs of this process stop, and wait until they did."""
        with self._lock:
            mine = dict(self._mine)
        for id_, thread in mine.items():
            if thread.is_alive():
                with suppress(Refusal):
                    self.cancel(id_)
        for thread in mine.values():
            thread.join()

    def _run(self, job: Job, task: dict[str, Any]) -> None:
        """Start the process, and write down what it says until it ends."""
        try:
            process = subprocess.Popen(  # noqa: S603 - this interpreter
                [sys.executable, "-P", "-m", _PROCESS, json.dumps(task)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                process_group=0 if sys.platform != "win32" else None,  # Ctrl-C is for the service
            )
        except OSError:
            job = self._ended(job, {"state": "failed", "error": _lost()})
        else:
            job = self._listen(job, process)
        finally:
            with suppress(OSError):
                os.remove(self._path(_claimed(job.kind, job.collection), ".running"))
        self._write(job)
        self._prune()

    def _listen(self, job: Job, process: subprocess.Popen[bytes]) -> Job:
        done = threading.Event()
        stopper = threading.Thread(target=self._stop_when_asked, args=(job.id, process, done))
        stopper.start()
        end: dict[str, Any] = {"state": "failed", "error": _lost()}
        assert process.stdout  # noqa: S101 - a pipe
        with process.stdout:
            for line in process.stdout:
                said = json.loads(line)
                if "state" in said:
                    end = said
                else:
                    job = job.model_copy(update=said)
                    self._write(job)
        done.set()
        stopper.join()
        process.wait()
        return self._ended(job, end)

    def _stop_when_asked(
        self, id_: str, process: subprocess.Popen[bytes], done: threading.Event
    ) -> None:
        assert process.stdin  # noqa: S101 - a pipe
        while not done.wait(_LOOK_SECONDS):
            if os.path.exists(self._path(id_, ".stop")):
                process.stdin.close()
                if not done.wait(_STOP_SECONDS):
                    process.kill()  # what was committed is kept
                return
        process.stdin.close()

    def _ended(self, job: Job, end: dict[str, Any]) -> Job:
        groups = end.pop("groups", None)
        if groups is not None:
            with open(self._path(job.id, ".groups"), "w", encoding="utf-8") as file:
                json.dump(groups, file)
        fields = job.model_dump() | end | {"finished": datetime.now(UTC), "phase": None}
        return Job.model_validate(fields)

    def _claim(self, name: str, id_: str) -> None:
        """Take note that such a job runs, unless one does."""
        path = self._path(name, ".running")
        for _ in range(2):
            try:
                with open(path, "x", encoding="utf-8") as file:
                    file.write(id_)
                return
            except FileExistsError:
                with suppress(OSError), open(path, encoding="utf-8") as file:
                    other = file.read()
                    if self._is_running(other):
                        raise Refusal(_RUNNING, f"job {other}") from None
                with suppress(OSError):
                    os.remove(path)  # its worker is gone
        raise Refusal(_RUNNING, "try again")

    def _is_running(self, id_: str) -> bool:
        try:
            return self.get(id_).state == "running"
        except Refusal:
            return not id_  # about to be written

    def _seen(self, job: Job, owner: int) -> Job:
        if job.state == "running" and not _is_alive(owner):
            return job.model_copy(update={"state": "failed", "error": _lost()})
        return job

    def _write(self, job: Job) -> None:
        path = self._path(job.id)
        state = {"owner": os.getpid(), "job": job.model_dump(mode="json")}
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            json.dump(state, file)
        os.replace(f"{path}.new", path)

    def _prune(self) -> None:
        for job in self.all()[_KEPT:]:
            if job.state != "running":
                for ending in (".json", ".stop", ".groups"):
                    with suppress(OSError):
                        os.remove(self._path(job.id, ending))

    def _path(self, name: str, ending: str = ".json") -> str:
        return os.path.join(self._folder, name + ending)


def _claimed(kind: JobKind, collection: str) -> str:
    return f"{kind}.{collection}"


def _lost() -> Problem:
    return Problem.model_validate(problem(_LOST, "start it again: what it did is kept"))


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":
        return True  # asking would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

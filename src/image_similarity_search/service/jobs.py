"""Work in the background: each job a process, its state a file that all workers can read."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from image_similarity_search.replacing import replaced
from image_similarity_search.service.claims import Claim, Claims
from image_similarity_search.service.job_runs import STOP_SECONDS, lines_of
from image_similarity_search.service.kinds import Kind, problem
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.schemas import Job, JobKind, Problem

_KEPT = 100
_CLAIM_TRIES, _CLAIM_SECONDS = 25, 0.02
_ID = re.compile(r"[0-9a-f]{16}")
_NOT_FOUND = Kind(404, "job-not-found", "Job not found")
_RUNNING = Kind(409, "job-running", "A job of this kind is already running for the collection")
_NO_GROUPS = Kind(404, "no-groups", "The job has no groups of duplicates")
_LOST = Kind(500, "job-lost", "The process of the job has ended")
_UNWRITABLE = Kind(507, "unwritable", "The state of the job can't be saved")

_log = logging.getLogger(__name__)


class Jobs:
    """The jobs of a service; ``folder`` is shared by all its workers.

    The folder may become full, or be cleaned away: a job that was started ends all the same.

    Attributes:
        stopping: set where the jobs of this process are to stop.
    """

    def __init__(self, folder: str) -> None:
        self._folder = os.path.join(folder, "jobs")
        self._claims = Claims(self._folder)
        self._lock = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}
        self._here: dict[str, Job] = {}  # that run in this process, or whose end can't be written
        self._unwanted: set[str] = set()
        self.stopping = False

    def start(
        self, kind: JobKind, collection: str, task: Mapping[str, Any], *, root: str | None = None
    ) -> Job:
        """Begin ``task``, as ``job_process`` takes it.

        Raises:
            Refusal: a job of this kind is running for the collection, or the state of this one
                can't be written.
        """
        job = Job(
            id=secrets.token_hex(8),
            collection=collection,
            kind=kind,
            state="running",
            root=root,
            started=datetime.now(UTC),
        )
        try:
            claim = self._claim(job)
            try:
                self._write(job)
                self._begin(job, {**task, "kind": kind}, claim)
            except BaseException:
                claim.release()
                raise
        except OSError as error:
            raise Refusal(_UNWRITABLE, "nothing was started") from error
        return job

    def groups(self, id_: str) -> list[dict[str, Any]]:
        """The groups of duplicates that a job found, of images by their ids.

        Raises:
            Refusal: there is no such job, or it has found none yet.
        """
        job = self.get(id_)
        with (
            suppress(OSError),
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
        with self._lock:
            job = self._here.get(id_)
        if job is None and _ID.fullmatch(id_):
            job = self._read(id_)
        if job is None:
            raise Refusal(_NOT_FOUND, "GET /v1/jobs lists all jobs")
        return job

    def all(self) -> list[Job]:
        """Those of the last jobs that are still known, the newest first."""
        with self._lock:
            ids = set(self._here)
        with suppress(OSError):  # cleaned away: there are none
            names = os.listdir(self._folder)
            ids |= {name.removesuffix(".json") for name in names if name.endswith(".json")}
        jobs = []
        for id_ in ids:
            with suppress(Refusal):
                jobs.append(self.get(id_))
        return sorted(jobs, key=lambda job: (job.started, job.id), reverse=True)

    def cancel(self, id_: str) -> Job:
        """Have a job stop soon; one that has ended is left as it is.

        Raises:
            Refusal: there is none, or the wish can't be told to its process.
        """
        job = self.get(id_)
        with self._lock:
            if id_ in self._threads:
                self._unwanted.add(id_)
                return job
        if job.state == "running":
            try:
                with open(self._path(id_, ".stop"), "w", encoding="utf-8"):
                    pass
            except OSError as error:
                raise Refusal(_UNWRITABLE, "it is continued") from error
        return job

    def close(self) -> None:
        """Have the jobs of this process stop, and wait until they did."""
        self.stopping = True
        with self._lock:
            threads = list(self._threads.values())
        for thread in threads:
            thread.join(2 * STOP_SECONDS)  # they stop side by side

    def _begin(self, job: Job, task: dict[str, Any], claim: Claim) -> None:
        thread = threading.Thread(
            target=self._run, args=(job, task, claim), name=f"job {job.id}", daemon=True
        )
        with self._lock:
            self._here[job.id] = job
            self._threads[job.id] = thread
        try:
            thread.start()
        except BaseException:
            self._forget(job)
            raise

    def _run(self, job: Job, task: dict[str, Any], claim: Claim) -> None:
        """Do it, and note what it says until it ends, whatever becomes of the state's file."""
        end: dict[str, Any] = {}
        written = False
        try:
            with closing(lines_of(task, lambda: self._is_unwanted(job.id))) as lines:
                for said in lines:
                    if "state" in said:
                        end = said
                    else:
                        job = job.model_copy(update=said)
                        self._note(job)
        except (OSError, ValueError):
            _log.exception("job %s", job.id)
        finally:
            try:
                written = self._note(self._ended(job, end or self._unsaid_end(job)))
            finally:
                claim.release()
                self._forget(job, state=written)
        self._prune()

    def _unsaid_end(self, job: Job) -> dict[str, Any]:
        """What became of a job whose process ended without a word, as where it was killed."""
        if self._is_unwanted(job.id):  # it was asked to stop, and had no time left to say so
            return {"state": "cancelled"}
        return {"state": "failed", "error": _lost()}

    def _is_unwanted(self, id_: str) -> bool:
        return self.stopping or id_ in self._unwanted or os.path.exists(self._path(id_, ".stop"))

    def _ended(self, job: Job, end: dict[str, Any]) -> Job:
        if why := end.pop("why", ""):
            _log.warning("job %s (%s of %s): %s", job.id, job.kind, job.collection, why)
        groups = end.pop("groups", None)
        if groups is not None:
            try:
                self._put(self._path(job.id, ".groups"), groups)
            except OSError:
                _log.exception("job %s: its groups can't be saved", job.id)
                end = {"state": "failed", "error": problem(_UNWRITABLE, "nor its result")}
        fields = job.model_dump() | end | {"finished": datetime.now(UTC), "phase": None}
        return Job.model_validate(fields)

    def _claim(self, job: Job) -> Claim:
        """Take note that such a job runs, unless one does."""
        name = _claimed(job)
        for _ in range(_CLAIM_TRIES):
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            claim = self._claims.take(name, job.id)
            if claim is not None:
                return claim
            other = self._claims.holder(name)
            if other and self._is_running(other):
                raise Refusal(_RUNNING, f"job {other}")
            time.sleep(_CLAIM_SECONDS)  # it is about to be written, or has just ended
        raise Refusal(_RUNNING, "try again")

    def _is_running(self, id_: str) -> bool:
        try:
            return self.get(id_).state == "running"
        except Refusal:
            return False

    def _read(self, id_: str) -> Job | None:
        """What is written of a job; None where nothing is."""
        job = None
        for _ in range(2):  # one that seems lost may have ended just then
            try:
                with open(self._path(id_), encoding="utf-8") as file:
                    state = json.load(file)
            except OSError:
                return None
            job = Job.model_validate(state["job"])
            if job.state != "running" or self._is_held(job, state["owner"]):
                return job
        return job and job.model_copy(update={"state": "failed", "error": _lost()})

    def _is_held(self, job: Job, owner: int) -> bool:
        return self._claims.holder(_claimed(job)) == job.id and _is_alive(owner)

    def _note(self, job: Job) -> bool:
        """Remember how far a job of this process is; whether others can read it, too."""
        with self._lock:
            self._here[job.id] = job
        try:
            self._write(job)
        except OSError as error:
            _log.warning("the state of job %s can't be written: %s", job.id, error)
            return False
        return True

    def _forget(self, job: Job, *, state: bool = True) -> None:
        """A job runs here no longer; its ``state`` is kept where it can't be read elsewhere."""
        with self._lock:
            self._threads.pop(job.id, None)
            self._unwanted.discard(job.id)
            if state:
                self._here.pop(job.id, None)

    def _write(self, job: Job) -> None:
        self._put(self._path(job.id), {"owner": os.getpid(), "job": job.model_dump(mode="json")})

    def _put(self, path: str, value: object) -> None:
        """Write a file, whole or not at all."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        with replaced(path, durable=False) as (aside,):
            Path(aside).write_text(json.dumps(value), "utf-8")

    def _prune(self) -> None:
        for job in self.all()[_KEPT:]:
            if job.state != "running":
                self._forget(job)
                for ending in (".json", ".stop", ".groups"):
                    with suppress(OSError):
                        os.remove(self._path(job.id, ending))

    def _path(self, name: str, ending: str = ".json") -> str:
        return os.path.join(self._folder, name + ending)


def _claimed(job: Job) -> str:
    return f"{job.kind}.{job.collection}"


def _lost() -> Problem:
    return Problem.model_validate(problem(_LOST, "start it again: finished work is kept"))


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

"""Several workers: a lost one costs the request it was at, and is replaced."""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from image_similarity_search.errors import WorkerUnavailableError
from image_similarity_search.workers.worker import Answer, Worker

_WORTH_A_WORKER = 8  # waiting requests: to start a worker takes as long as to answer so many


class Pool:
    """At most ``most`` workers for ``work`` in ``memory`` bytes each, as ``Worker`` takes them.

    They start when they are needed: one, and another for each 8 requests that wait.
    """

    def __init__(self, work: str, most: int, memory: int) -> None:
        self._desk = _Desk(work, most, memory)
        weakref.finalize(self, self._desk.close)

    def prepare(self) -> None:
        """Start a worker before there is a request for it."""
        with suppress(WorkerUnavailableError):  # the first request will say it
            self._desk.prepare()

    def submit(self, request: bytes, seconds: float) -> Future[Answer]:
        """Have ``request`` answered; each part of the answer may take ``seconds``.

        The future raises WorkerUnavailableError where no worker can be started; it is cancelled
        where ``close`` comes first. A request whose future is cancelled before it is begun is
        dropped.
        """
        task = _Task(request, seconds, Future())
        try:
            self._desk.put(task)
        except WorkerUnavailableError as error:
            task.answer.set_exception(error)
        return task.answer

    def close(self) -> None:
        """End all workers, whatever they do, and cancel what is not answered yet."""
        self._desk.close()
        self._desk.join()


@dataclass(frozen=True, slots=True)
class _Task:
    request: bytes
    seconds: float
    answer: Future[Answer]


class _Desk:
    """Where tasks wait; each worker has a thread of its own, which starts it and asks it.

    These threads know the desk, not the pool: one that nobody knows any more must be seen to be so.
    """

    def __init__(self, work: str, most: int, memory: int) -> None:
        self._work = work
        self._most = most
        self._memory = memory
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._workers: weakref.WeakSet[Worker] = weakref.WeakSet()
        self._closed = False
        # of these four; its holder may collect rubbish, and so close what it is amid
        self._lock = threading.RLock()
        self._turns = _Turns()

    def prepare(self) -> None:
        """Have a thread; WorkerUnavailableError where none can be started."""
        with self._lock:
            if not self._threads and not self._closed:
                self._start_thread()

    def put(self, task: _Task) -> None:
        """Have a task wait for a worker, which there is, or another; cancel it after ``close``.

        Raises:
            WorkerUnavailableError: there is none, and none can be had.
        """
        with self._lock:
            self.prepare()
            if self._closed:
                task.answer.cancel()
                return
            self._tasks.put(task)
            count = len(self._threads)
            if count < self._most and self._tasks.qsize() > count * _WORTH_A_WORKER:
                with suppress(WorkerUnavailableError):  # those that there are do it
                    self._start_thread()

    def close(self) -> None:
        """End the workers, and the threads."""
        with self._lock:
            self._closed = True
            self._tasks.put(None)
            workers = list(self._workers)
        for worker in workers:
            worker.end()

    def join(self) -> None:
        """Wait for the threads, after ``close``."""
        for thread in self._threads:
            thread.join()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._attend, name="ask", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise WorkerUnavailableError(str(error)) from error
        self._threads.append(thread)

    def _attend(self) -> None:
        """Have tasks answered, until ``close``."""
        worker = None
        with suppress(Exception):  # the first task will say it
            worker = self._start()
        while task := self._tasks.get():
            if self._closed:
                task.answer.cancel()
                continue
            if not task.answer.set_running_or_notify_cancel():  # nobody waits for it any more
                continue
            try:
                worker, answer = self._answer(task, worker)
                task.answer.set_result(answer)
            except BaseException as error:  # somebody waits for it
                worker = None
                task.answer.set_exception(error)
        self._tasks.put(None)  # for the other threads

    def _answer(self, task: _Task, worker: Worker | None) -> tuple[Worker | None, Answer]:
        """The answer to a task, and the worker for the next one."""
        with self._turns.together():
            worker, answer = self._ask(task, worker)
        if answer.failure and answer.failure.kind != "late" and not self._closed:
            # what ended it may have been the task before, or that all together took the memory
            with self._turns.alone():
                worker, answer = self._ask(task, worker)
        if answer.failure and answer.failure.kind == "start":
            status = answer.failure.status
            raise WorkerUnavailableError(f"it ended with status {status} before doing anything")
        return worker, answer

    def _ask(self, task: _Task, worker: Worker | None) -> tuple[Worker | None, Answer]:
        worker = worker or self._start()
        answer = worker.ask(task.request, task.seconds)
        return None if answer.failure else worker, answer

    def _start(self) -> Worker:
        worker = Worker(self._work, self._memory)
        with self._lock:
            self._workers.add(worker)
            closed = self._closed
        if closed:
            worker.end()
        return worker


class _Turns:
    """Any number of tasks together, or one alone."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._under_way = 0
        self._alone = False

    @contextmanager
    def together(self) -> Iterator[None]:
        with self._change:
            self._change.wait_for(lambda: not self._alone)
            self._under_way += 1
        try:
            yield
        finally:
            with self._change:
                self._under_way -= 1
                self._change.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._change:
            self._change.wait_for(lambda: not self._alone)
            self._alone = True
            self._change.wait_for(lambda: not self._under_way)
        try:
            yield
        finally:
            with self._change:
                self._alone = False
                self._change.notify_all()

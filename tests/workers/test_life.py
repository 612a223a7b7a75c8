"""Workers and the program that starts them: real programs, real signals."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import children_of, is_zombie, until

from image_similarity_search.workers import frames
from image_similarity_search.workers.child import COMMAND

pytestmark = pytest.mark.unix

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = {**os.environ, "PYTHONPATH": os.pathsep.join([HERE, *sys.path])}

# no "if __name__ == '__main__'": what a program does, it does once
PROGRAM = """
import sys
from image_similarity_search.workers.pool import Pool
folder, seconds, *requests = sys.argv[1:]
with open(folder + "/runs", "a") as file:
    file.write("run\\n")
pool = Pool("tasks:answer", 2, 1 << 29)
answers = [pool.submit(request.encode(), float(seconds)) for request in requests]
sys.stdout and print("asked", flush=True)
with open(folder + "/answers", "w") as file:
    for answer in answers:
        file.write(f"{answer.result()}\\n")
pool.close()
"""


def start(folder: Path, *arguments: str, program: str = PROGRAM) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder), *arguments],
        cwd=folder,
        env=PATH,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not is_zombie(pid)


@pytest.mark.parametrize("how", ["script", "-c", "standard input"])
def test_a_program_without_a_guard_is_run_once(tmp_path: Path, how: str) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    arguments = {"script": ["program.py"], "-c": ["-c", PROGRAM], "standard input": ["-"]}[how]
    done = subprocess.run(
        [sys.executable, *arguments, tmp_path, "30", "echo 1", "echo 2"],
        cwd=tmp_path,
        env=PATH,
        input=PROGRAM,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "runs").read_text() == "run\n"
    assert "b'1'" in (tmp_path / "answers").read_text()


def test_the_folder_may_change_after_the_import(tmp_path: Path) -> None:
    source = str(Path(frames.__file__).parents[2])
    relative = f"""
import os, sys
sys.path[:] = [os.path.relpath({source!r}), *(p for p in sys.path if p != {source!r})]
import image_similarity_search.workers.pool
os.chdir("/")
"""
    with start(tmp_path, "30", "echo 1", program=relative + PROGRAM) as program:
        assert program.communicate()[1] == ""
    assert "failure=None" in (tmp_path / "answers").read_text()


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_standard_streams_may_be_closed(tmp_path: Path, closed: Sequence[int]) -> None:
    close = " ".join(f"{number}>&-" for number in closed)
    arguments = [sys.executable, "-c", PROGRAM, str(tmp_path), "30", "shout x", "echo 1"]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {close}', "sh", *arguments],
        cwd=tmp_path,
        env=PATH,
        check=False,
    )
    assert done.returncode == 0
    assert (tmp_path / "answers").read_text().count("failure=None") == 2


@pytest.mark.parametrize("request_", ["echo 1", "hang", "sleep 100"])
def test_workers_end_with_a_program_that_is_killed(tmp_path: Path, request_: str) -> None:
    if sys.platform != "linux" and request_ == "hang":
        pytest.skip("only Linux ends it at once; elsewhere it has a time limit of its own")
    with start(tmp_path, "100", request_, "sleep 100") as program:
        until(lambda: len(children_of(program.pid)) >= 1)
        time.sleep(0.5)
        workers = children_of(program.pid)
        program.kill()
        program.communicate()
    until(lambda: not any(alive(worker) for worker in workers), 5)


def test_a_worker_that_nobody_ends_ends_itself() -> None:
    """Where the system ends no process with its parent, and a codec hangs."""
    arguments = [str(os.getpid()), str(1 << 29), "tasks:answer", HERE, *sys.path]
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as worker:
        assert worker.stdin
        assert worker.stdout
        almost_grace_period = -29.5
        frames.write(worker.stdin, frames.REQUEST, struct.pack("<d", almost_grace_period) + b"hang")
        assert frames.read(worker.stdout) == (frames.READY, b"")
        assert frames.read(worker.stdout) == (frames.PART, b"begun")
        assert frames.read(worker.stdout) is None
        assert worker.wait(10) == -signal.SIGALRM


def test_ctrl_c_is_the_programs_affair_alone(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGINT, lambda *_: None)\n"
    deaf = PROGRAM.replace("folder, seconds", f"{deaf}folder, seconds")
    with start(tmp_path, "30", "sleep 1", program=deaf) as program:
        assert program.stdout
        program.stdout.readline()
        until(lambda: len(children_of(program.pid)) == 1)
        workers = children_of(program.pid)
        for _ in range(5):  # also while the worker starts
            os.killpg(program.pid, signal.SIGINT)
            time.sleep(0.1)
        assert children_of(program.pid) == workers
        assert program.wait(30) == 0
    assert "failure=None" in (tmp_path / "answers").read_text()


def test_time_that_the_program_stood_still_does_not_count(tmp_path: Path) -> None:
    with start(tmp_path, "1.8", "sleep 1") as program:
        assert program.stdout
        program.stdout.readline()
        until(lambda: len(children_of(program.pid)) == 1)
        time.sleep(0.4)
        program.send_signal(signal.SIGSTOP)
        time.sleep(2)
        program.send_signal(signal.SIGCONT)
        program.communicate()
    assert "failure=None" in (tmp_path / "answers").read_text()

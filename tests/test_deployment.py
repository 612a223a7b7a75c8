"""What ``docs/deployment.md`` offers to copy: read, checked, and run as far as it can be here."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from conftest import MakePicture, until

from image_similarity_search.cli.app import app
from image_similarity_search.collection import Collection
from image_similarity_search.service import job_runs, serving

ROOT = Path(__file__).parent.parent
CONTAINERFILE = ROOT / "Containerfile"
COMPOSE = ROOT / "deploy" / "compose.yaml"
UNIT = ROOT / "deploy" / "iss.service"

pytestmark = pytest.mark.skipif(not CONTAINERFILE.exists(), reason="not in what is installed")


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Containerfile, in order."""
    text = re.sub(r"\\\n", " ", CONTAINERFILE.read_text("utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(None, 1)[0], " ".join(line.split()[1:])) for line in lines]


def all_of(name: str) -> list[str]:
    return [value for instruction, value in instructions() if instruction == name]


def parse(arguments: list[str]) -> None:
    """Have click take a command line apart; raises where it would be refused."""
    context = click.Context(app)
    command = app.get_command(context, arguments[0])
    assert command, arguments
    command.make_context(arguments[0], arguments[1:], parent=context)


def test_the_container_is_small_and_nobody_in_it_is_root() -> None:
    known = {"FROM", "WORKDIR", "RUN", "COPY", "LABEL", "ENV", "USER", "VOLUME", "EXPOSE"}
    known |= {"STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in instructions()} == known
    assert all(re.search(r":[\w.]+-slim", image) for image in all_of("FROM"))
    user = all_of("USER")[-1]
    assert user not in ("root", "0", "0:0")
    after = instructions()[instructions().index(("USER", user)) :]
    assert not [name for name, _ in after if name in ("RUN", "COPY")]
    for value in all_of("COPY"):
        if not value.startswith("--from"):
            for source in value.split()[:-1]:
                assert (ROOT / source).exists(), source
    taken = (ROOT / ".containerignore").read_text("utf-8").splitlines()
    for value in all_of("COPY")[:2]:
        assert all(f"!{source}" in taken for source in value.split()[:-1])


def test_docker_leaves_out_the_same() -> None:
    """Podman reads the first, Docker only a file that is named like the one it builds from."""
    for_docker = CONTAINERFILE.with_name("Containerfile.dockerignore")
    assert for_docker.read_text("utf-8") == (ROOT / ".containerignore").read_text("utf-8")


@pytest.mark.unix
def test_what_the_container_runs_is_healthy(tmp_path: Path, make_picture: MakePicture) -> None:
    """Its command and its health check, on a port and in a folder on this computer."""
    make_picture(tmp_path / "pictures" / "a.png", 1)
    with Collection.open(tmp_path / "i", encoder="colour-texture", create=True) as collection:
        collection.sync(tmp_path / "pictures")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])

    def here(value: str) -> list[str]:
        words: list[str] = json.loads(value)
        return [w.replace("8765", port).replace("=/index", f"={tmp_path / 'i'}") for w in words]

    assert json.loads(all_of("ENTRYPOINT")[0]) == ["iss"]
    assert all_of("EXPOSE") == ["8765"]
    command = [sys.executable, "-m", "image_similarity_search", *here(all_of("CMD")[0])]
    _python, *check = here(all_of("HEALTHCHECK")[0].split("CMD ", 1)[1])
    environment = os.environ | {"ISS_API_KEY": "a key of the test's own"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as service:
        try:
            health = [sys.executable, *check]
            until(lambda: subprocess.run(health, capture_output=True, check=False).returncode == 0)
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/collections")
        finally:
            service.send_signal(signal.SIGTERM)
        assert service.wait(20) == 0


def test_the_compose_example() -> None:
    document: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))
    services = document["services"]
    assert set(document) == {"services", "volumes"}
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        pictures, index = service["volumes"]
        assert pictures.endswith(":/pictures:ro")
        assert index.split(":")[0] in document["volumes"]
    build = services["index"]["build"]
    assert (COMPOSE.parent / build["context"] / build["dockerfile"]).samefile(CONTAINERFILE)
    assert len({service["image"] for service in services.values()}) == 1
    parse(services["index"]["command"])
    assert services["index"]["network_mode"] == "none"
    assert all(port.startswith("127.0.0.1:") for port in services["service"]["ports"])
    assert "ISS_API_KEY" in services["service"]["environment"]
    assert set(services["service"]["depends_on"]) <= set(services)


def test_the_proxy_replaces_what_clients_say() -> None:
    text = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    sent = dict(re.findall(r"proxy_set_header (\S+) (\S+);", text))
    assert sent == {
        "Host": "$http_host",
        "X-Forwarded-For": "$remote_addr",
        "X-Forwarded-Proto": "$scheme",
    }


def test_the_systemd_unit() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # letters keep their case
    unit.read_string(UNIT.read_text("utf-8"))
    assert unit.sections() == ["Unit", "Service", "Install"]
    program, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert Path(program).name == "iss"
    parse(arguments)
    assert unit["Service"]["User"] != "root"


def test_there_is_time_to_end() -> None:
    document = yaml.safe_load(COMPOSE.read_text("utf-8"))
    found = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text("utf-8"), re.M)
    assert found
    compose = int(document["services"]["service"]["stop_grace_period"].removesuffix("s"))
    assert compose == int(found[1]) > serving.STOP_SECONDS + job_runs.STOP_SECONDS


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text("utf-8").replace("/opt/iss/bin/iss", "/bin/true")
    (tmp_path / "iss.service").write_text(text)
    command = ["systemd-analyze", "verify", str(tmp_path / "iss.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "iss.service" not in done.stderr
    assert done.returncode == 0
    command = ["systemd-analyze", "security", "--offline=true", str(tmp_path / "iss.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    exposure = re.search(r"Overall exposure level for iss.service: ([\d.]+)", done.stdout)
    assert exposure, done.stderr
    assert float(exposure[1]) < 2

"""Back ends by name, and the messages if one cannot work here."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from codegym.errors import SandboxUnavailable
from codegym.judge import make_judge
from codegym.sandbox import BACKENDS, DockerSandbox, Limits, ProcessSandbox, Sandbox, check_available, open_sandbox

LIMITS = Limits(cpu_seconds=2, wall_seconds=10, memory_mb=256, processes=16, output_mb=1, temp_mb=8)


def test_a_name_opens_a_sandbox_without_a_warning():
    with open_sandbox("process", LIMITS, 1) as sandbox:
        assert isinstance(sandbox, ProcessSandbox)
        assert isinstance(sandbox, Sandbox)


def test_the_table_has_every_back_end_by_name():
    assert [*BACKENDS] == ["docker", "process"]
    assert BACKENDS["process"] is ProcessSandbox
    assert BACKENDS["docker"] is DockerSandbox


def test_unknown_name_is_an_error_that_lists_the_names():
    message = "unknown sandbox back end: got 'dockr' .did you mean 'docker'.*; expected one of docker, process"
    for use in (open_sandbox, check_available, lambda name: make_judge(name, LIMITS)):
        with pytest.raises(ValueError, match=message):
            use("dockr")


def test_back_end_that_makes_no_sandbox_is_an_error(monkeypatch):
    monkeypatch.setitem(BACKENDS._table, "broken", lambda *_, **__: {})
    with pytest.raises(TypeError, match="back end 'broken' made no sandbox: got dict; expected an object with num_wor"):
        open_sandbox("broken")


# --- without an engine ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("unix:///no/such/socket", "no Docker engine answers at unix:///no/such/socket .*Start one"),
        ("tcp://127.0.0.1:2375", "must be on this host: got DOCKER_HOST=tcp://127.0.0.1:2375; expected unix://PATH"),
        ("ssh://somewhere", "must be on this host: got DOCKER_HOST=ssh://somewhere; expected unix://PATH"),
    ],
)
def test_missing_engine_is_an_error_with_what_to_do(monkeypatch, address, message):
    monkeypatch.setenv("DOCKER_HOST", address)
    for use in (DockerSandbox.check_available, DockerSandbox, lambda: open_sandbox("docker")):
        with pytest.raises(SandboxUnavailable, match=message):
            use()


def test_a_judge_by_name_fails_when_it_is_made(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such/socket")
    with pytest.raises(SandboxUnavailable, match="no Docker engine answers at unix:///no/such/socket"):
        make_judge("docker", LIMITS)
    make_judge("auto", LIMITS)  # falls back


FORBIDDEN = """
import os
from codegym.errors import SandboxUnavailable
from codegym.sandbox.docker import DockerSandbox
os.setresuid(65534, 65534, 65534)
try:
    DockerSandbox.check_available()
except SandboxUnavailable as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become a user who may not use the socket")
def test_a_forbidden_socket_is_named_as_that(tmp_path):
    for folder in (tmp_path, *tmp_path.parents[:2]):  # open to all users, in contrast to the socket in it
        folder.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(f"{tmp_path}/socket")
        engine.listen()
        os.chmod(f"{tmp_path}/socket", 0o600)
        environment = os.environ | {"DOCKER_HOST": f"unix://{tmp_path}/socket"}
        command = [sys.executable, "-c", FORBIDDEN]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "(permission denied). Add the user to the group of the socket (usermod -aG docker USER" in done.stdout


def test_auto_falls_back_to_processes_with_one_warning(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:2375")
    with pytest.warns(UserWarning, match="no Docker sandbox .*got DOCKER_HOST=tcp.*at level '") as caught:
        sandbox = open_sandbox("auto", LIMITS, 1)
    with sandbox:
        assert isinstance(sandbox, ProcessSandbox)
        assert len(caught) == 1
        assert caught[0].filename == __file__


def test_auto_falls_back_if_the_sdk_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "docker", None)
    monkeypatch.delitem(sys.modules, "codegym.sandbox.docker")
    with pytest.warns(UserWarning, match=r"the Docker SDK is not installed. pip install 'codegym\[docker\]'"):
        open_sandbox("auto", LIMITS, 1).close()
    for use in (open_sandbox, check_available):
        with pytest.raises(SandboxUnavailable, match="the Docker SDK is not installed"):
            use("docker")


def test_other_systems_have_no_process_sandbox(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxUnavailable, match="no process sandbox on this host: got darwin; expected Linux"):
        check_available("process")


@pytest.mark.docker
def test_auto_takes_docker_if_an_engine_answers(monkeypatch):
    monkeypatch.delenv("DOCKER_HOST", raising=False) if os.environ.get("DOCKER_HOST") == "" else None
    check_available("docker")
    with open_sandbox("auto", LIMITS, 1) as sandbox:
        assert isinstance(sandbox, DockerSandbox)

"""Which sandbox comes of a name, and what is said where there is no engine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codegym.errors import SandboxUnavailable
from codegym.sandbox import backends
from codegym.sandbox.backends import open_sandbox
from codegym.sandbox.base import Limits
from codegym.sandbox.docker import DockerSandbox
from codegym.sandbox.process import ProcessSandbox

ROOT = Path(__file__).resolve().parents[2]
LIMITS = Limits(cpu_seconds=2, wall_seconds=10, memory_mb=256, processes=16, output_mb=1, temp_mb=8)


# --- without an engine ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("unix:///no/such/socket", "no Docker engine answers at unix:///no/such/socket .*Start one"),
        ("tcp://127.0.0.1:2375", "DOCKER_HOST is tcp://127.0.0.1:2375: the engine must be on this host"),
        ("ssh://somewhere", "DOCKER_HOST is ssh://somewhere: the engine must be on this host"),
    ],
)
def test_missing_engine_is_told_with_what_to_do(monkeypatch, address, message):
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(SandboxUnavailable, match=message):
        DockerSandbox(LIMITS, num_workers=1)
    with pytest.raises(SandboxUnavailable, match=message):
        open_sandbox("docker", LIMITS, 1)


def test_auto_falls_back_to_processes_with_one_warning(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:2375")
    with pytest.warns(UserWarning, match="no Docker sandbox .*DOCKER_HOST is tcp.*at level '") as caught:
        sandbox = open_sandbox("auto", LIMITS, 1)
    with sandbox:
        assert isinstance(sandbox, ProcessSandbox)
        assert len(caught) == 1
        assert caught[0].filename == __file__


def test_auto_falls_back_where_the_sdk_is_missing(monkeypatch):
    monkeypatch.setattr(backends, "DockerSandbox", None)
    with pytest.warns(UserWarning, match=r"the Docker SDK is not installed \(pip install 'codegym\[docker\]'\)"):
        open_sandbox("auto", LIMITS, 1).close()
    with pytest.raises(SandboxUnavailable, match="the Docker SDK is not installed"):
        open_sandbox("docker", LIMITS, 1)


def test_processes_that_were_asked_for_come_without_a_warning():
    with open_sandbox("process", LIMITS, 1) as sandbox:
        assert isinstance(sandbox, ProcessSandbox)


@pytest.mark.docker
def test_auto_takes_docker_where_an_engine_answers(monkeypatch):
    monkeypatch.delenv("DOCKER_HOST", raising=False) if os.environ.get("DOCKER_HOST") == "" else None
    with open_sandbox("auto", LIMITS, 1) as sandbox:
        assert isinstance(sandbox, DockerSandbox)


def test_unknown_name_is_an_error_that_lists_the_names():
    with pytest.raises(ValueError, match='unknown sandbox \'podman\': it is "auto", "docker" or "process"'):
        open_sandbox("podman")

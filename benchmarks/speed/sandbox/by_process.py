"""Contenders: a new interpreter for each program, on the host and in a running container."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import docker

from benchmarks.speed.sandbox.programs import Program
from codegym.sandbox.image import LABEL, ensure_image


@contextmanager
def python(workers: int) -> Iterator[Callable[[Program], Future[bool]]]:
    with ThreadPoolExecutor(workers) as pool:
        yield lambda program: pool.submit(_run_here, program.script)


def _run_here(script: str) -> bool:
    done = subprocess.run([sys.executable, "-I"], input=script.encode(), capture_output=True, check=False)
    return done.returncode == 0


@contextmanager
def docker_exec(workers: int) -> Iterator[Callable[[Program], Future[bool]]]:
    with contextlib.closing(docker.from_env()) as client, ThreadPoolExecutor(workers) as pool:
        container = client.containers.run(
            ensure_image(client),
            ["python", "-c", "import time; time.sleep(86400)"],
            detach=True,
            auto_remove=True,
            init=True,
            network_mode="none",
            labels={LABEL: "1"},
        )
        try:
            yield lambda program: pool.submit(_run_inside, container, program.script)
        finally:
            container.remove(force=True)


def _run_inside(container: docker.models.containers.Container, script: str) -> bool:
    return bool(container.exec_run(["python", "-I", "-c", script]).exit_code == 0)

"""From the name of a sandbox to a sandbox."""

from __future__ import annotations

import warnings
from typing import Literal

from codegym.errors import SandboxUnavailable
from codegym.sandbox.base import Limits
from codegym.sandbox.pool import Pool
from codegym.sandbox.process import ProcessSandbox

try:
    from codegym.sandbox.docker import DockerSandbox
except ImportError:  # the extra is not installed
    DockerSandbox = None  # type: ignore[assignment, misc]

Backend = Literal["auto", "docker", "process"]


def open_sandbox(
    backend: Backend = "auto",
    limits: Limits = Limits(),  # noqa: B008 - a frozen record
    num_workers: int | None = None,
    *,
    packages: tuple[str, ...] = (),
    preload: tuple[str, ...] = (),
) -> Pool:
    """Open a sandbox by name; "auto" takes Docker where an engine answers, else the process back end with a warning.

    Raises:
        SandboxUnavailable: the back end cannot work here; the message says what is missing.
        ValueError: there is no such back end.
    """
    if backend not in ("auto", "docker", "process"):
        raise ValueError(f'unknown sandbox {backend!r}: it is "auto", "docker" or "process"')
    reason = ""
    if backend != "process":
        try:
            if DockerSandbox is None:
                raise SandboxUnavailable("the Docker SDK is not installed (pip install 'codegym[docker]')")
            return DockerSandbox(limits, num_workers, packages=packages, preload=preload)
        except SandboxUnavailable as error:
            if backend == "docker":
                raise
            reason = str(error)
    sandbox = ProcessSandbox(limits, num_workers, packages=packages, preload=preload)
    if backend == "auto":
        warnings.warn(
            f"no Docker sandbox ({reason}); using the process sandbox at level {sandbox.level!r} instead. "
            "'codegym sandbox check' shows what it isolates",
            stacklevel=2,
        )
    return sandbox

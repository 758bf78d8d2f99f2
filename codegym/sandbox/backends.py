"""Back ends by name: the table of them, and the functions that open a sandbox."""

from __future__ import annotations

import warnings
from typing import Protocol

from codegym.errors import SandboxUnavailable
from codegym.plugins import Plugins
from codegym.sandbox.base import Limits, Sandbox
from codegym.sandbox.process import ProcessSandbox


class Backend(Protocol):
    """Entry of ``BACKENDS``: a class or function that opens a sandbox.

    It may have a function ``check_available()`` that raises ``SandboxUnavailable`` at once if the back end cannot work
    on this host; ``codegym.sandbox.check_available`` calls it.
    """

    def __call__(
        self,
        limits: Limits,
        num_workers: int | None,
        *,
        packages: tuple[str, ...],
        preload: tuple[str, ...],
    ) -> Sandbox:
        """Open a sandbox.

        Args:
            limits: Largest limits that a request may ask for.
            num_workers: Number of programs at the same time, None for one a core.
            packages: Packages that programs may import beyond the standard library.
            preload: Modules that are loaded before programs run.
        """


BACKENDS: Plugins[Backend] = Plugins(
    "sandbox back end",
    "codegym.sandboxes",
    {"docker": "codegym.sandbox.docker:DockerSandbox", "process": "codegym.sandbox.process:ProcessSandbox"},
)
"""Name -> back end. ``"auto"`` is none of them: it chooses among them."""


def open_sandbox(
    backend: str = "auto",
    limits: Limits = Limits(),  # noqa: B008 - a frozen record
    num_workers: int | None = None,
    *,
    packages: tuple[str, ...] = (),
    preload: tuple[str, ...] = (),
) -> Sandbox:
    """Open a sandbox by name.

    Args:
        backend: Name of ``BACKENDS``, the name of an entry point in the group ``codegym.sandboxes``,
            ``"package.module:object"``, or "auto": Docker if an engine answers, else the process back end with a
            warning.
        limits: Largest limits that a request may ask for.
        num_workers: Number of programs at the same time; by default one a core.
        packages: Packages that programs may import beyond the standard library.
        preload: Modules that are loaded before programs run, so that importing them costs no time.

    Raises:
        SandboxUnavailable: The back end cannot work here; the message names what is missing.
        ValueError: There is no such back end.
        TypeError: The back end has made something that is no ``Sandbox``.
    """
    open_it = _open_best if backend == "auto" else BACKENDS.get_plugin(backend)
    sandbox = open_it(limits, num_workers, packages=packages, preload=preload)
    if not isinstance(sandbox, Sandbox):
        raise TypeError(
            f"back end {backend!r} made no sandbox: got {type(sandbox).__name__}; expected an object with num_workers, "
            "submit and close that is a context manager. Inherit from codegym.sandbox.Sandbox"
        )
    return sandbox


def check_available(backend: str) -> None:
    """Raise if a back end cannot work on this host, as far as that can be known at once; open nothing.

    Args:
        backend: Name as for ``open_sandbox``. For "auto" nothing is checked, because it falls back.

    Raises:
        SandboxUnavailable: The back end cannot work here; the message names what is missing.
        ValueError: There is no such back end.
    """
    if backend != "auto":
        check = getattr(BACKENDS.get_plugin(backend), "check_available", None)
        if check is not None:
            check()


def _open_best(
    limits: Limits, num_workers: int | None, *, packages: tuple[str, ...], preload: tuple[str, ...]
) -> Sandbox:
    try:
        return BACKENDS["docker"](limits, num_workers, packages=packages, preload=preload)
    except SandboxUnavailable as error:
        reason = error
    sandbox = ProcessSandbox(limits, num_workers, packages=packages, preload=preload)
    warnings.warn(
        f"no Docker sandbox ({reason}); using the process sandbox at level {sandbox.level!r} instead. "
        "'codegym sandbox check' shows what it isolates",
        stacklevel=3,
    )
    return sandbox

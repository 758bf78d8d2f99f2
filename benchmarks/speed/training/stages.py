"""Time of each stage of an iteration: a clock for the learner's thread, around the calls of each stage.

The agents are not changed: while ``watched`` is open, functions of ``agents`` and ``codegym`` are replaced by wrappers
with the clock around them. A stage inside another one, such as the process reward model inside the environment, counts
for itself only, so the stages add up to the whole.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

from agents import grpo, ppo
from agents.common import rollout
from agents.common.run import Run
from codegym.envs.batch import EpisodeBatch
from codegym.envs.vector import CodeVectorEnv
from codegym.scorers.prm import ProcessRewardModel

STAGES = ("tasks", "generation", "environment", "judging", "scoring", "policy update", "critic update", "rest")
"""Names of the stages. Tasks: drawing and tokenizing. Environment: closing lines, submitting programs, computing
rewards. Judging: the learner waits for verdicts. Scoring: process reward model, values, log-probabilities of a
reference (those of the sampling policy are recorded while it samples). Rest: advantages, logs, checkpoints."""
PLACES: tuple[tuple[Any, str, str], ...] = (
    (rollout, "generate", "generation"),
    (CodeVectorEnv, "reset", "tasks"),
    (CodeVectorEnv, "append_chunk", "environment"),
    (CodeVectorEnv, "finish", "environment"),
    (EpisodeBatch, "wait_for_verdicts", "judging"),
    (ProcessRewardModel, "score", "scoring"),
    (ppo, "predict_values", "scoring"),
    (Run, "reference_log_probs", "scoring"),
    (ppo, "update_policy", "policy update"),
    (ppo, "update_critic", "critic update"),
    (grpo, "update", "policy update"),
)
"""Module or class, name of the function, stage."""


class Clock:
    """Wall and CPU seconds of this thread, by stage."""

    def __init__(self) -> None:
        self._open = ["rest"]
        self.restart()

    @property
    def current(self) -> str:
        """The stage that is running."""
        return self._open[-1]

    def restart(self) -> None:
        """Set all times to 0 and start now."""
        self.wall = dict.fromkeys(STAGES, 0.0)
        self.cpu = dict.fromkeys(STAGES, 0.0)
        self._since = time.perf_counter(), time.thread_time()

    def charge(self) -> None:
        """Add the time since the last call to the stage that is running."""
        now = time.perf_counter(), time.thread_time()
        self.wall[self.current] += now[0] - self._since[0]
        self.cpu[self.current] += now[1] - self._since[1]
        self._since = now

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time inside the context for a stage.

        Args:
            name: Name of the stage.
        """
        self.charge()
        self._open.append(name)
        try:
            yield
        finally:
            self.charge()
            self._open.pop()


@contextlib.contextmanager
def watched(clock: Clock) -> Iterator[None]:
    """Let ``clock`` follow every training run inside the context."""
    with contextlib.ExitStack() as replaced:
        for owner, name, stage in PLACES:
            replaced.enter_context(replacing(owner, name, functools.partial(_timed, clock, stage)))
        yield


@contextlib.contextmanager
def replacing(owner: Any, name: str, wrap: Callable[[Any], Any]) -> Iterator[None]:
    """Replace a function of a module or class inside the context.

    Args:
        owner: Module or class.
        name: Name of the function.
        wrap: Function that makes the replacement of the original.
    """
    original = getattr(owner, name)
    setattr(owner, name, wrap(original))
    try:
        yield
    finally:
        setattr(owner, name, original)


def _timed(clock: Clock, stage: str, function: Any) -> Any:
    @functools.wraps(function)
    def timed(*arguments: Any, **options: Any) -> Any:
        with clock.stage(stage):
            return function(*arguments, **options)

    return timed

"""The tiny task of the examples: continue ``def f(x): return x`` so that it returns twice ``x``.

A program has at most four tokens, and one random program in a hundred passes. Each distinct program runs once, in the
process sandbox: the judge caches verdicts.
"""

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import codegym
from codegym import CallCheck, Task

gym.register_envs(codegym)

PROMPT = "# twice x\n"
TASK = Task(
    "twice",
    PROMPT,
    tuple(CallCheck((x,), 2 * x) for x in (0, 1, 3, 5, 9)),
    preamble="def f(x): return x",
    entry_point="f",
    solution=" * 2",
)
SETTINGS = {
    "tasks": TASK,
    "tokenizer": [PROMPT, "x", "1", "2", " + ", " * "],
    "reward": "coderl",
    "sandbox": "process",
    "max_tokens": 4,
    "max_prompt_tokens": 1,
}
"""Keywords for ``gym.make("codegym/Token-v0", ...)`` and ``gym.make_vec``. The reward is 1 for a program that passes
and -1 for a syntax error."""


class Flat(gym.Wrapper):
    """Token ids as floats and no infos, for simple networks and strict collectors.

    Without infos, truncation marks an episode that could not be judged; no other episode is truncated here.
    """

    def __init__(self) -> None:
        super().__init__(gym.make("codegym/Token-v0", **SETTINGS))
        self.observation_space = gym.spaces.Box(0, len(SETTINGS["tokenizer"]), (1 + SETTINGS["max_tokens"],))

    def reset(self, **options: Any) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode with the ``options`` of ``gym.Env.reset``."""
        return self.env.reset(**options)[0]["tokens"].astype(np.float32), {}

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Append the token ``action``."""
        observation, *rest, _ = self.env.step(action)
        return observation["tokens"].astype(np.float32), *rest, {}

"""The tiny task of the examples: go on from ``def f(x): return x`` so that ``f(x)`` is twice ``x``, in four tokens.

One random program in a hundred passes. Programs run in the process sandbox, each of them once: the judge remembers
verdicts.
"""

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from codegym import CallCheck, Task

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
"""Keywords for ``gym.make("codegym/Token-v0", ...)`` and ``gym.make_vec``: 1 for passing, -1 for a syntax error."""


class Flat(gym.Wrapper):
    """Tokens as floats for all observation, and no infos: what simple networks and strict collectors take as it is.

    Without infos a learner cannot tell the episodes that could not be judged: these alone are truncated here.
    """

    def __init__(self) -> None:
        super().__init__(gym.make("codegym/Token-v0", **SETTINGS))
        self.observation_space = gym.spaces.Box(0, len(SETTINGS["tokenizer"]), (1 + SETTINGS["max_tokens"],))

    def reset(self, **options: Any) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode."""
        return self.env.reset(**options)[0]["tokens"].astype(np.float32), {}

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Append a token."""
        observation, *rest, _ = self.env.step(action)
        return observation["tokens"].astype(np.float32), *rest, {}

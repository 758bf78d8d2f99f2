"""The tiny task of the examples: finish ``def f(x): return`` so that ``f(x)`` is ``2 * x + 1``, seven tokens at most.

A random policy passes about once in a thousand programs; the reward has steps on the way: does it compile, does it
run, how many checks pass. Programs run in the process sandbox, each of them once: the judge remembers verdicts.
"""

from codegym import CallCheck, Task

PROMPT = "# twice x, plus one\n"
TASK = Task(
    "toy",
    PROMPT,
    tuple(CallCheck((x,), 2 * x + 1) for x in (0, 1, 2, 5, 9)),
    preamble="def f(x): return ",
    entry_point="f",
    solution="x * 2 + 1",
)
TOKENS = [PROMPT, "x", "1", "2", " + ", " * "]
SETTINGS = {
    "tasks": TASK,
    "tokenizer": TOKENS,
    "reward": "coderl + pass_ratio",
    "sandbox": "process",
    "max_tokens": 7,
    "max_prompt_tokens": 1,
}
"""Keywords for ``gym.make("codegym/Token-v0", ...)`` and ``gym.make_vec``."""

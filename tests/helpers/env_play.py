"""Playing environments in tests: actions at random, and comparing all that came back."""

from __future__ import annotations

import numpy as np

from codegym.envs.env import LineEnv, TokenEnv
from codegym.envs.vector import LineVectorEnv, TokenVectorEnv
from codegym.tasks.record import StdinCheck, Task
from codegym.tokenizers import VocabularyTokenizer

SINGLE = {"Token": TokenEnv, "Line": LineEnv}
VECTOR = {"Token": TokenVectorEnv, "Line": LineVectorEnv}
EOS = 256
"""Of the byte tokenizer."""
TASK = Task("double", "Print twice the number.\n", (StdinCheck("1", "2"), StdinCheck("2", "4")), solution="x = 1\n")
AWKWARD = VocabularyTokenizer(
    [
        *("a", " ", "    ", "x = 1", "(", ")", "#", "\\", '"""', "'", "f'{", "\r", "é", "\0"),
        *("\n", "\n\n", "x = 1\n", "if x:\n    ", "\ny", "# c\ny = 2\n", ")\n\n# d", "\r\n"),
        *(b"\xc3", b"\xa9", b"\xc3\n", b"\xff", b"\xed\xa0\x80"),
    ]
)
"""Tokens that end several lines, that end one and begin the next, that hold half a character or none."""
AWKWARD_TASKS = [Task(str(n), "a" * n + "\n", TASK.checks, solution=TASK.solution) for n in range(4)]
"""With prompts that can be told in those tokens."""
_BYTES = np.array([10, 10, 10, 32, 97, 35, 34, 40, 58, 92, 200, EOS])
_TOKENS = np.arange(AWKWARD.vocab_size)


def draw_actions(rng, act, num_envs=None, max_line_tokens=8, awkward=False):
    """Random actions with many line ends and some ends of programs, one or one for each slot."""
    shape = () if num_envs is None else (num_envs,)
    actions = rng.choice(_TOKENS if awkward else _BYTES, shape if act == "Token" else (*shape, max_line_tokens))
    return int(actions) if actions.ndim == 0 else actions


def small(act, **keywords):
    """Keywords of an environment with short episodes that judges nothing."""
    sizes = {"max_tokens": 40, "max_prompt_tokens": 80} | ({"max_line_tokens": 8} if act == "Line" else {})
    return {"sandbox": "fake", **sizes, **keywords}


def assert_same(one, other, path="it"):
    """Everything in two nested results is equal, dtypes, shapes and keys included."""
    if isinstance(one, dict):
        assert isinstance(other, dict) and one.keys() == other.keys(), f"{path}: {one.keys() ^ other.keys()}"
        for key in one:
            assert_same(one[key], other[key], f"{path}[{key!r}]")
    elif isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray), path
        assert (one.dtype, one.shape) == (other.dtype, other.shape), path
        if one.dtype == object:
            for number, (left, right) in enumerate(zip(one, other, strict=True)):
                assert_same(left, right, f"{path}[{number}]")
        else:
            np.testing.assert_array_equal(one, other, path)
    elif isinstance(one, tuple | list):
        assert type(one) is type(other) and len(one) == len(other), path
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            assert_same(left, right, f"{path}[{number}]")
    else:
        assert type(one) is type(other) and one == other, f"{path}: {one!r} is not {other!r}"


def of_slot(value, slot):
    """What a result of a vector environment says of one slot, in the form of a single one; infos without masks."""
    if isinstance(value, dict):
        return {
            key: of_slot(part, slot)
            for key, part in value.items()
            if not key.startswith("_") and ("_" + key not in value or value["_" + key][slot])
        }
    return value[slot].item() if isinstance(value[slot], np.generic) else value[slot]

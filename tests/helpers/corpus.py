"""Records and builders of the two corpora: programs that cheat, and honest programs that look odd.

A cheat never computes the answer: ``mix`` is a hash with large results, so no cheat passes by luck. There is one
deliberate exception, marked in the text of the program: a *probe* (``probe``) holds the solution behind a test
for an escape ("could I signal a process of another user?"), so that its verdict says whether the escape worked.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from textwrap import dedent, indent

from codegym.sandbox.base import Limits
from codegym.tasks.record import AssertCheck, CallCheck, StdinCheck, Task


@dataclass(frozen=True, slots=True)
class Case:
    """One program with the task it is judged on; an exploit must not pass it, an oddity must.

    Args:
        name: unique in both corpora.
        program: the completion.
        task: what it is judged on.
        why: one line that begins with the trap it stands for, ``R1`` to ``R11`` or ``S1`` to ``S15``.
        limits: tighter ones than the default, None for the default.
        before: completions judged first on the same worker, whatever comes of them.
        after: a completion that must pass when it is judged next on the same worker.
        slow: takes long, mostly since it runs into a limit of time.
    """

    name: str
    program: str = field(repr=False)
    task: Task = field(repr=False)
    why: str
    limits: Limits | None = None
    before: tuple[str, ...] = field(default=(), repr=False)
    after: str | None = field(default=None, repr=False)
    slow: bool = False


def mix(numbers, key):
    total = key
    for number in numbers:
        total = (total * 48271 + number) % 2147483647
    return total


GOLD = inspect.getsource(mix)
ARGUMENTS = (([31, 41, 59], 26), ([5, 35, 89, 79], 323), ([8462, 643383], 279502), ([88, 4, 19, 71, 69], 399375))
VISIBLE = ([2, 7, 18], 28)
"""Stands with its answer in every prompt, and is never a check."""
PROMPT = f"Mix a list of numbers with a key. For example, mix{VISIBLE!r} is {mix(*VISIBLE)}."
PREAMBLE = f'def mix(numbers, key):\n    """{PROMPT}"""\n'
READ = "key, numbers = int(input()), [int(word) for word in input().split()]\n"
MAIN = f'\n\nif __name__ == "__main__":\n{indent(READ, "    ")}    print(mix(numbers, key))\n'
METHOD = "class Solution:\n    def mix(self, *arguments):\n        return mix(*arguments)\n\n\n"
STUB = "def mix(*arguments, **options):\n    return 0\n\n\n"
BRIEF = Limits(cpu_seconds=0.5, wall_seconds=2, memory_mb=256, processes=16, output_mb=2, temp_mb=8)
"""Limits for programs that run into them."""


def text(source: str) -> str:
    """Source written as an indented block."""
    return dedent(source).lstrip("\n")


def assert_task(task_id: str, source: str, checks: tuple[str, ...], examiner: str = "", **fields: object) -> Task:
    """Tests as in MBPP; ``source`` is the solution and the exports are its functions and classes."""
    fields.setdefault("exports", ("mix",))
    if any(name[0].isupper() for name in fields["exports"]):
        fields.setdefault("uses_candidate_types", True)
    checks = tuple(AssertCheck(check) for check in checks)
    return Task(task_id, PROMPT, checks, examiner=examiner, solution=source, **fields)


def call_task(task_id: str, source: str, calls: tuple[tuple[tuple, object], ...], entry_point: str = "mix") -> Task:
    """Pairs of arguments and expected value."""
    checks = tuple(CallCheck(arguments, expected) for arguments, expected in calls)
    return Task(task_id, PROMPT, checks, entry_point=entry_point, solution=source)


def stdin_task(task_id: str, source: str, *checks: tuple[str, str], comparison: str = "exact") -> Task:
    """Pairs of stdin and stdout."""
    checks = tuple(StdinCheck(stdin, stdout) for stdin, stdout in checks)
    return Task(task_id, PROMPT, checks, solution=source, comparison=comparison)


def gold(expression: str) -> tuple[str, list]:
    """A solution that returns ``expression`` of the number ``total``, and its answers to ``ARGUMENTS``."""
    source = GOLD.replace("return total", f"return {expression}")
    namespace: dict = {}
    exec(source, namespace)
    return source, [namespace["mix"](list(numbers), key) for numbers, key in ARGUMENTS]


def _asserts(form: str, expression: str = "total") -> tuple[str, tuple[str, ...]]:
    source, answers = gold(expression)
    calls = [f"mix({numbers!r}, {key!r})" for numbers, key in ARGUMENTS]
    return source, tuple(form.format(call=call, want=want) for call, want in zip(calls, answers, strict=True))


def _mix_tasks() -> dict[str, Task]:
    equal, table, label = "assert {call} == {want!r}", "[[number, total] for number in numbers]", "f'{total:08x}'"
    answers = gold("total")[1]
    pairs = list(zip(ARGUMENTS, answers, strict=True))
    lines = [(f"{key}\n{' '.join(map(str, numbers))}\n", f"{want}\n") for (numbers, key), want in pairs]
    loop = f"PAIRS = {pairs!r}\n"
    body = GOLD.split("\n", 1)[1]
    checker = "def check(candidate):\n" + indent("\n".join(_asserts(equal)[1]), "    ").replace("mix(", "candidate(")
    many = "for number in numbers:\n    key = mix([number], key)\n    print(key)\n"
    running = [(stdin, "".join(f"{mix(numbers[: i + 1], key)}\n" for i in range(len(numbers))))
               for (stdin, _), (numbers, key) in zip(lines, ARGUMENTS, strict=True)]  # fmt: skip
    area = "class Rect:\n    def __init__(self, a, b):\n        self.a, self.b = a, b\n\n\n"
    area += f"{GOLD}\n\ndef area(rect):\n    return mix([rect.a, rect.b], 7)\n"
    areas = tuple(f"assert area(Rect({a}, {b})) == {mix([a, b], 7)}" for a, b in ((20, 31), (445, 6), (7, 81)))
    return {
        "assert": assert_task("corpus/assert", *_asserts(equal)),
        "table": assert_task("corpus/table", *_asserts(equal, table)),
        "label": assert_task("corpus/label", *_asserts(equal, label)),
        "level": assert_task("corpus/level", *_asserts("assert abs({call} - {want!r}) < 1e-9", "total / 2147483647")),
        "members": assert_task("corpus/members", *_asserts("assert set({call}) == set({want!r})", "[total, -total]")),
        "size": assert_task("corpus/size", *_asserts("assert len({call}) == len({want!r})", "range(total % 99991)")),
        "loop": assert_task("corpus/loop", GOLD, ("for arguments, want in PAIRS:\n    assert mix(*arguments) == want",
                                                  "for arguments, want in PAIRS:\n    assert want == mix(*arguments)"),
                            loop),
        "map": assert_task("corpus/map", GOLD, ("assert all(map(lambda p: mix(*p[0]) == p[1], PAIRS))",), loop),
        "unittest": assert_task("corpus/unittest", GOLD, ("Test('test_pairs').debug()",), loop + UNITTEST),
        "rect": assert_task("corpus/rect", area, areas, exports=("area", "Rect")),
        "humaneval": Task("corpus/humaneval", PREAMBLE, (AssertCheck("check(mix)"),), preamble=PREAMBLE,
                          entry_point="mix", examiner=checker, exports=("mix",), solution=body),
        "call": call_task("corpus/call", GOLD, tuple(pairs)),
        "call-table": call_task("corpus/call-table", gold(table)[0],
                                tuple(zip(ARGUMENTS, gold(table)[1], strict=True))),
        "solution": call_task("corpus/solution", METHOD + GOLD, tuple(pairs), "Solution.mix"),
        "stdin": stdin_task("corpus/stdin", GOLD + MAIN, *lines),
        "lines": stdin_task("corpus/lines", GOLD + "\n\n" + READ + many, *running),
    }  # fmt: skip


UNITTEST = text("""
    import unittest


    class Test(unittest.TestCase):
        def test_pairs(self):
            for arguments, want in PAIRS:
                self.assertEqual(mix(*arguments), want)
""")
TASKS = _mix_tasks()
"""The tasks of the exploits by kind; all but ``rect`` and the scripts want a function ``mix``."""


def fit(program: str, kind: str) -> str:
    """``program``, which may define ``mix``, as a completion for the task of this kind."""
    if kind == "stdin":
        return STUB + program + MAIN
    if kind in ("lines", "rect"):
        return program
    head = {"humaneval": "    return 0\n\n\n", "solution": METHOD + STUB}.get(kind, STUB)
    return head + program


def cheat(
    name: str, why: str, program: str, on: str = "assert call", uses: str = "", then: bool = False, **options: object
) -> list[Case]:
    """One cheat as a case for each kind of task in ``on``.

    ``uses`` is source that stands before it; ``then`` has the solution judged after it.
    """
    source = uses + text(program)
    return [
        Case(f"{name}@{kind}", fit(source, kind), TASKS[kind], why, after=rival(kind) if then else None, **options)
        for kind in on.split()
    ]


def probe(name: str, why: str, program: str, on: str = "call", uses: str = "", **options: object) -> list[Case]:
    """A program that defines ``escaped()`` and solves the task only where that is true."""
    return cheat(name, why, uses + text(program) + PROBE + GOLD + PROBE_END, on, **options)


PROBE = text("""


    try:
        ESCAPED = bool(escaped())
    except BaseException:
        ESCAPED = False


""")
PROBE_END = "\n\nif not ESCAPED:\n    mix = None\n"


def rival(kind: str) -> str:
    """The solution of the task of this kind, for ``Case.after``."""
    solution = TASKS[kind].solution
    assert solution is not None
    return solution

"""The oracle of the families: the true first wrong line of a program."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from codegym.tasks.procedural.interpreter import Program, compile_program, compile_statements, passes
from codegym.tasks.record import Task

_NAMES = re.compile(r"\"[^\"]*\"|\b[a-z]\w*\b")
_DEF = re.compile(r"def f\(([\w, ]+)\):")
_BOUND = re.compile(r"    +(?:for )?([a-z]\w*)(?:, ([a-z]\w*))?(?: [-+*/%]*= | in )")
_STATEMENT = re.compile(r" {4}(?!else|elif)\S")
_MAX_NAMES = 4

Lines = Sequence[str]


def first_wrong_line(task: Task, completion: str, spare: int = 0) -> int | None:
    r"""Return the number, from 1, of the first line that spoils a program of a procedural task, None if there is none.

    Lines are right as long as lines of the solution, in the program's own names, make a program of them that passes
    the checks and is no longer than the solution: either those from one of its lines on, or those that the program
    does not have yet. The first line after the longest such beginning is wrong, since then no state leads back to the
    right answer in the lines that are left. Comments and empty lines are never wrong and do not count, and a program
    that passes has no wrong line, however long it is. A line that is not valid Python, or outside the families' grammar
    (``codegym.tasks.procedural.grammar``), is wrong itself, and so is every program that holds one.

    The program may be incomplete: what is missing is not wrong, nor is a last line without its newline that begins
    like a right one. End a program that has ended with a newline.

    >>> from codegym.tasks.procedural import FAMILIES
    >>> task = FAMILIES["arithmetic"]().by_id("arithmetic:*3+2")
    >>> first_wrong_line(task, "def f(x):\n    x = x * 3\n    x = x + 1\n    return x\n")
    3

    Args:
        task: Task of a procedural family.
        completion: A program or the beginning of one.
        spare: Number of lines that a program may have more than the solution.

    Raises:
        ValueError: The task has no solution.
    """
    if task.solution is None:
        raise ValueError(f"task {task.task_id!r} has no solution that lines could be compared with")
    lines = completion.split("\n")
    open_line = lines.pop()
    gold = task.solution.rstrip("\n").split("\n")
    whole = [*lines, open_line] if open_line else lines
    if passes(task.checks, compile_program(whole)) or (open_line and _begins(task, lines, open_line, gold, spare)):
        return None
    for count in range(len(whole), 0, -1):
        if _leads_home(task, whole[:count], gold, spare):
            return None if count == len(whole) else count + 1
    return 1 if whole else None


def _leads_home(task: Task, prefix: Lines, gold: Lines, spare: int) -> bool:
    """Whether lines of the solution make a passing program of the prefix."""
    if not _is_readable(prefix):
        return False
    started = compile_program(prefix)
    return any(passes(task.checks, _joined(prefix, started, end)) for end in _ends(prefix, gold, spare))


def _begins(task: Task, prefix: Lines, open_line: str, gold: Lines, spare: int) -> bool:
    """Whether the unfinished last line begins like a line that would be right there."""
    likely = (end for end in _ends(prefix, gold, spare) if end and end[0].startswith(open_line))
    return any(passes(task.checks, compile_program([*prefix, *end])) for end in likely)


def _joined(prefix: Lines, started: Program | None, end: Lines) -> Program | None:
    """Return the program of a prefix and an end, without compiling the prefix again if the end opens a statement."""
    if started is None or (end and not _STATEMENT.match(end[0])):
        return compile_program([*prefix, *end])
    codes = compile_statements(tuple(end))
    return None if codes is None else (started[0], started[1] + codes)


def _code(lines: Lines) -> Lines:
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _is_readable(prefix: Lines) -> bool:
    """Whether Python reads the prefix so far; its last line may open a block."""
    code = _code(prefix)
    if not code:
        return True
    depth = len(code[-1]) - len(code[-1].lstrip(" ")) + 4 * code[-1].endswith(":")
    return compile_program([*code, " " * depth + "pass"]) is not None


def _ends(prefix: Lines, gold: Lines, spare: int) -> Iterator[Lines]:
    """Lines of the solution, in the names of the prefix, that may follow it; the likeliest first."""
    code = _code(prefix)
    for names in _renamings(prefix, gold):
        named = _renamed(tuple(gold), tuple(names.items()))
        yield from (named[place:] for place in range(max(len(code) - spare, 0), len(gold) + 1))
        missing = [*named]
        for line in code:
            if line in missing:
                missing.remove(line)
        if len(code) + len(missing) <= len(gold) + spare:
            yield missing


@lru_cache(maxsize=1 << 12)
def _renamed(lines: tuple[str, ...], names: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    table = dict(names)
    return tuple(_NAMES.sub(lambda match: table.get(match[0], match[0]), line) for line in lines)


def _renamings(prefix: Lines, gold: Lines) -> Iterator[dict[str, str]]:
    """Ways to write the solution in the names of the prefix: by position, or its only name as each of them."""
    ours, theirs = _bound(gold), _bound(prefix)
    maps = [dict(zip(ours, theirs, strict=False)), dict(zip(_parameters(gold), _parameters(prefix), strict=False))]
    if len(ours) == 1:
        maps = [{ours[0]: name} for name in theirs[:_MAX_NAMES]] or [{}]
    yield from (names for index, names in enumerate(maps) if names not in maps[:index])


def _parameters(lines: Lines) -> list[str]:
    found = [match for line in lines if (match := _DEF.match(line))]
    return found[0][1].split(", ") if found else []


def _bound(lines: Lines) -> list[str]:
    """Return the names that lines bind, in order."""
    names = _parameters(lines)
    for line in lines:
        if match := _BOUND.match(line):
            names += [name for name in match.groups() if name]
    return list(dict.fromkeys(names))

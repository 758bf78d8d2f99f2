"""Contract of calls and asserts: the values that cross between a program and the host or its tests."""

from __future__ import annotations

import math
from collections import deque
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

from codegym.sandbox.base import Sandbox
from codegym.testing.programs import call, error_type, examine, expect_equal, require

PLAIN_VALUES: tuple[object, ...] = (
    *(None, True, False, 0, -1, 10**3000, 0.1, -0.0, math.inf, -math.inf, 1e-300, 1j, ...),
    *("", "text", "\0\r\n\u2028\ud800", b"\0\xff", bytearray(b"ab"), range(1, 9, 2)),
    *([], [1, [2, ["3"]]], (), (1,), (1, [2]), {}, {"a": 1}, {(1, 2): {3: None}, None: True, 1.5: b""}),
    *(set(), {1}, frozenset(), frozenset({(1, "2")}), deque([1, 2]), Decimal("1.10"), Fraction(1, 3)),
    *(date(2024, 2, 29), time(1, 2, 3, 4), datetime(2024, 2, 29, 1, 2, 3, 4), timedelta(-1, 5)),
)
"""One value of every kind that may be an argument or a result."""
_ECHO = "def f(value):\n    return value\n"


def plain_values_cross_both_ways(sandbox: Sandbox) -> None:
    """Arguments and results of every plain type come back equal and of the same type."""
    outcomes = call(sandbox, _ECHO, "f", *((value,) for value in PLAIN_VALUES))
    for value, outcome in zip(PLAIN_VALUES, outcomes, strict=True):
        found = outcome.value if outcome else outcome
        expect_equal(f"type of {value!r:.60}", type(found), type(value))
        expect_equal("value", (found, repr(found)[:5000] if type(value) is not int else ""), (value, _shown(value)))
    (nan,) = call(sandbox, _ECHO, "f", (math.nan,))
    require("NaN stays NaN", nan is not None and isinstance(nan.value, float) and math.isnan(nan.value), nan)


def _shown(value: object) -> str:
    return "" if type(value) is int else repr(value)[:5000]  # longer whole numbers have no repr


def calls_count_one_by_one(sandbox: Sandbox) -> None:
    """A call that raises has a failure, the others have values; the state of the module is kept between calls."""
    source = "seen = []\ndef f(x):\n    seen.append(x)\n    return 1 // x + len(seen)\n"
    first, second, third = call(sandbox, source, "f", (1,), (0,), (1,))
    expect_equal("values", [outcome and outcome.value for outcome in (first, third)], [2, 4])
    error = second.error if second else None
    expect_equal("failure", (error_type(error), error.line if error else None), ("ZeroDivisionError", 4))


def methods_get_a_fresh_instance(sandbox: Sandbox) -> None:
    """``Class.method`` is called on a new instance each time."""
    source = "class S:\n    n = 0\n    def up(self, by=1):\n        self.n += by\n        return self.n\n"
    expect_equal("values", [outcome and outcome.value for outcome in call(sandbox, source, "S.up", (2,), ())], [2, 1])


def values_are_rebuilt_from_plain_data(sandbox: Sandbox) -> None:
    """No object of the program is returned: subclasses of builtins lose their class, other objects are a failure."""
    source = """
        class Text(str):
            def __eq__(self, other): return True
            __hash__ = str.__hash__
        class Anything:
            def __eq__(self, other): return True
        def f(number): return [Text("no"), Anything(), lambda: 0][number]
    """
    text, anything, function = call(sandbox, source, "f", (0,), (1,), (2,))
    expect_equal("a subclass of str", [text and text.value, type(text.value) if text else None], ["no", str])
    for outcome in (anything, function):
        require("an object that is not plain is a failure", bool(outcome and outcome.error), outcome)


def early_exit_is_no_answer(sandbox: Sandbox) -> None:
    """The result of a call is None if the process ends before it, whatever its exit status; earlier results count."""
    source = "import os\ndef f(x):\n    if x: os._exit(0)\n    return x\n"
    first, *rest = call(sandbox, source, "f", (0,), (1,), (0,))
    expect_equal("outcomes after the exit", (first and first.value, rest), (0, [None, None]))
    outcomes = examine(sandbox, source, ["assert f(0) == 0", "f(1)", "assert True"])
    expect_equal("checks", [outcome and outcome.value for outcome in outcomes], [True, None, None])
    expect_equal("exit while loading", examine(sandbox, "import os\nos._exit(0)", ["assert True"]), (None,))


def checks_are_told_apart(sandbox: Sandbox) -> None:
    """Each check of an ``AssertJob`` holds, does not hold, or meets an exception of the program; all of them run."""
    source = "def f(x):\n    return 6 // x\n"
    held, failed, raised, last = examine(
        sandbox, source, ["assert f(2) == 3", "assert f(2) == 4, 'no'", "f(0)", "f(1)"]
    )
    expect_equal(
        "values", [outcome and outcome.value for outcome in (held, failed, raised, last)], [True, False, None, True]
    )
    expect_equal("error of the test", error_type(failed.error if failed else None), "AssertionError")
    error = raised.error if raised else None
    expect_equal("error of the program", (error_type(error), error.line if error else None), ("ZeroDivisionError", 2))


def tests_may_expect_exceptions(sandbox: Sandbox) -> None:
    """An exception of the program reaches the test as the nearest builtin exception."""
    source = "class Odd(ValueError): pass\ndef f(x): raise Odd(x)\n"
    check = "try:\n    f('why')\nexcept ValueError as error:\n    assert str(error) == 'why'\nelse:\n    assert False"
    outcomes = examine(sandbox, source, [check, "f('why')"])
    expect_equal("outcomes", [outcome and outcome.value for outcome in outcomes], [True, None])


def changes_in_place_are_seen(sandbox: Sandbox) -> None:
    """Changes that the program makes to an argument are made to the test's own object."""
    source = "def f(items, table):\n    items.sort()\n    table['n'] = len(items)\n"
    check = "items, table = [3, 1, 2], {}\nf(items, table)\nassert items == [1, 2, 3] and table == {'n': 3}"
    outcomes = examine(sandbox, source, [check, "items = [2, 1]\nf(items, {})\nassert items == [2, 1]"])
    expect_equal("outcomes", [outcome and outcome.value for outcome in outcomes], [True, False])


def tests_run_apart_from_the_program(sandbox: Sandbox) -> None:
    """A program that changes builtins or searches for frames and objects does not affect the tests."""
    source = """
        import builtins, gc, sys
        builtins.sum = builtins.sorted = lambda *_: 42
        def f():
            names = [name for frame in sys._current_frames().values() for name in frame.f_globals]
            return "SECRET" in names or any(type(x) is dict and "SECRET" in x for x in gc.get_objects())
    """
    setup = "SECRET = 41\n"
    outcomes = examine(
        sandbox, source, ["assert sum([1, 2]) == 3", "assert sorted([]) == []", "assert f() is False"], setup
    )
    expect_equal("outcomes", [outcome and outcome.value for outcome in outcomes], [True, True, True])


def own_types_need_attributes(sandbox: Sandbox) -> None:
    """Objects of the program's classes can be used by the tests with ``attributes=True``, and only then."""
    source = """
        class Box:
            def __init__(self, x): self.x = x
            def twice(self): return 2 * self.x
        def f(x): return Box(x)
    """
    for attributes in (True, False):
        outcomes = examine(sandbox, source, ["box = f(4)\nassert (box.x, box.twice()) == (4, 8)"], "", attributes)
        expect_equal(
            f"attributes={attributes}", [bool(outcome and outcome.value) for outcome in outcomes], [attributes]
        )


CHECKS = (
    plain_values_cross_both_ways,
    calls_count_one_by_one,
    methods_get_a_fresh_instance,
    values_are_rebuilt_from_plain_data,
    early_exit_is_no_answer,
    checks_are_told_apart,
    tests_may_expect_exceptions,
    changes_in_place_are_seen,
    tests_run_apart_from_the_program,
    own_types_need_attributes,
)

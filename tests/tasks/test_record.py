from __future__ import annotations

import dataclasses
import math
import re
from collections import deque
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegym.errors import CodegymError, TaskError
from codegym.sandbox.box.plain_codec import encode
from codegym.tasks.plain_data import find_unplain
from codegym.tasks.record import AssertCheck, CallCheck, StdinCheck, Task


def test_a_task_is_a_frozen_record():
    task = Task("1", "Echo.", (StdinCheck("a", "a"),))
    assert (task.comparison, task.solution, task.metadata) == ("exact", None, {})
    assert task == Task("1", "Echo.", (StdinCheck("a", "a"),))
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.prompt = "x"


def test_lists_are_kept_as_tuples():
    task = Task("1", "p", [CallCheck([1, [2]], 3)], entry_point="f", exports=["f"])
    assert task == Task("1", "p", (CallCheck((1, [2]), 3),), entry_point="f", exports=("f",))
    assert (type(task.checks), type(task.exports), type(task.checks[0].arguments)) == (tuple, tuple, tuple)


STDIN, CALL, ASSERT = StdinCheck("", "1"), CallCheck((), 1), AssertCheck("assert f() == 1")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        # R9: all([]) is True, so every program would pass
        ({"checks": ()}, "task '1': no checks: every program would pass; expected at least one"),
        ({"checks": (STDIN, ASSERT)}, "checks of several kinds: got AssertCheck, StdinCheck; expected checks of one"),
        ({"checks": ("assert f() == 1",)}, "got the string 'assert f() == 1' among them; .* Write AssertCheck(source)"),
        ({"checks": "assert f() == 1"}, "checks: got the string 'assert f() == 1'; expected a tuple of StdinCheck"),
        ({"checks": STDIN}, "Write (check,) for one check"),
        ({"checks": [{}]}, "checks: got a dict of 0 among them"),
        ({"task_id": ""}, "task_id: got the string ''; expected a name that is unique in the data set"),
        ({"task_id": 1}, "task 1: task_id: got 1; expected text"),
        ({"prompt": None}, "prompt: got None; expected text"),
        ({"prompt": b"p"}, "expected text. Decode it."),
        ({"solution": 1}, "solution: got 1; expected text"),
        ({"comparison": None}, "comparison: got None; expected text"),
        ({"metadata": []}, "metadata: got a list of 0; expected a dict"),
        ({"uses_candidate_types": "no"}, "uses_candidate_types: got the string 'no'; expected True or False"),
        ({"exports": "f"}, "exports: got the string 'f'; expected a tuple of names"),
        ({"exports": ("f()",)}, "exports: got the string 'f()' among them; expected a tuple of names"),
        ({"exports": (f"{1}",)}, "exports: got the string '1' among them"),
        ({"checks": (CALL,)}, "call checks without an entry_point"),
        ({"checks": (CALL,), "entry_point": "f()"}, "entry_point: got the string 'f()'; expected a name such as 'f'"),
        ({"checks": (CALL,), "entry_point": "a.b.c"}, "expected a name such as 'f' or 'Solution.f'"),
        ({"checks": (ASSERT,)}, "no check uses the program: got exports=[] and checks that use the names f"),
        ({"checks": (ASSERT,), "exports": ("g",)}, "no check uses the program: got exports=['g']"),
        (
            {"checks": (AssertCheck("assert f(limit)"),), "exports": ("f",)},
            "no program can pass: got checks that use 'limit'; expected names that exports, the examiner or Python",
        ),
        ({"checks": (ASSERT,), "exports": ("f",), "examiner": "import"}, "examiner: got the string 'import', which is"),
    ],
)
def test_a_wrong_task_is_refused_with_a_sentence(fields, message):
    with pytest.raises(TaskError, match=".*".join(map(re.escape, message.split(".*")))):
        Task(**{"task_id": "1", "prompt": "p", "checks": (STDIN,)} | fields)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: CallCheck(1, 2),
            "arguments of a CallCheck: got 1; expected a tuple of positional arguments. Write Call",
        ),
        (lambda: CallCheck("ab", 2), "got the string 'ab'; expected a tuple"),
        (
            lambda: CallCheck((print,), 2),
            "arguments of a CallCheck: got a builtin_function_or_method; expected plain data",
        ),
        (lambda: CallCheck((), {"a": [object()]}), "expected of a CallCheck: got a object; expected plain data"),
        (lambda: StdinCheck(1, "2"), "stdin of a StdinCheck: got 1; expected text"),
        (lambda: StdinCheck("1", b"2"), "stdout of a StdinCheck: got b'2'; expected text. Decode it."),
        (lambda: AssertCheck(None), "source of an AssertCheck: got None; expected text"),
        (lambda: AssertCheck("assert f("), "source of an AssertCheck: got the string 'assert f(', which is not valid"),
        (lambda: AssertCheck("assert '\ud800'"), "which is not valid Python"),
        (lambda: AssertCheck("f(1)==3"), "got the string 'f(1)==3', which no program fails; .* Write 'assert f(1)==3'"),
        (lambda: AssertCheck("all(f(n) for n in x)"), "which no program fails"),
        (lambda: AssertCheck("# f(1) == 3"), "which no program fails"),
        (lambda: AssertCheck("pass"), "which no program fails"),
    ],
)
def test_a_wrong_check_is_refused_with_a_sentence(make, message):
    with pytest.raises(TaskError, match=".*".join(map(re.escape, message.split(".*")))):
        make()


def test_a_task_error_is_one_of_codegym():
    with pytest.raises(CodegymError):
        Task("1", "p", ())


@pytest.mark.parametrize(
    ("sources", "examiner"),
    [
        (["check(f)"], "def check(candidate):\n    assert candidate(1) == 2"),
        (["for n in VALUES:\n    assert candidate(n) == n"], "VALUES = [1]\ncandidate = f"),
        (["g = f(1)", "assert g == 2"], ""),
        (["assert f(sqrt(4)) == 2"], "from math import *"),
        (["assert f(limit) == 2"], "exec('limit = 3')"),
        (["f()"], ""),  # must not raise
    ],
)
def test_checks_may_use_what_the_examiner_and_earlier_checks_define(sources, examiner):
    Task("1", "p", tuple(map(AssertCheck, sources)), examiner=examiner, exports=("f",))


hashables = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.floats(allow_nan=False) | st.binary(max_size=3),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=2),
    max_leaves=4,
)
values = st.recursive(
    hashables
    | st.sampled_from([..., range(3), 1j, math.nan, bytearray(b"a"), Decimal("1.5"), object(), print, re, type(None)]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.lists(inner, max_size=3).map(deque)
        | st.dictionaries(hashables, inner, max_size=3)
    ),
    max_leaves=6,
)


def is_carried(value):
    try:
        encode(value)
    except ValueError:
        return False
    return True


@given(values)
def test_a_check_takes_exactly_what_the_sandbox_carries(value):
    assert (find_unplain(value) is None) == is_carried(value)


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: (v,), lambda v: {1: v}])
def test_nesting_is_limited_as_in_the_sandbox(wrap):
    value: object = 0
    for _ in range(300):
        assert (find_unplain(value) is None) == is_carried(value)
        value = wrap(value)
    assert find_unplain(value) == "data nested deeper than 250 levels"

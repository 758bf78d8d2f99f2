from __future__ import annotations

import ast

import pytest

from codegym.tasks.datasets.split_checks import split_check


def split(body, helpers=""):
    source = "def check(candidate):\n" + "\n".join("    " + line for line in body.splitlines())
    check = ast.parse(source).body[0]
    return split_check(check, ast.parse(helpers).body, frozenset({"f"}))


def test_every_assert_is_a_check():
    assert split("assert candidate(1) == 2\nassert f(2) == 3") == ["assert candidate(1) == 2", "assert f(2) == 3"]


def test_statements_before_a_check_are_repeated_in_a_function_of_its_own():
    first, second = split("one = 1\nassert candidate(one) == 2\nstr = 'x'\nassert candidate(str) == 'y'")
    assert first == "def _check(candidate):\n    one = 1\n    assert candidate(one) == 2\n_check(candidate)"
    # str is a local there, so later checks still have the builtin
    assert second.startswith("def _check(candidate):\n    str = 'x'\n")


def test_imports_and_helpers_stand_only_where_they_are_used():
    body = "import math\ndef twice(n): return 2 * n\nassert candidate(1) == 1\nassert candidate(twice(1)) == math.e"
    first, second = split(body)
    assert first == "assert candidate(1) == 1"
    assert "import math" in second and "def twice" in second


def test_a_loop_with_asserts_is_one_check():
    sources = split(
        "for i in range(3):\n    assert candidate(i) == i\nfor i in range(5):\n    assert candidate(-i) == i"
    )
    assert len(sources) == 2
    assert all(source.endswith("_check(candidate)") for source in sources)


def test_comprehensions_bind_nothing():
    assert split("assert candidate([i for i in range(3)]) == 3\nassert candidate([i for i in 'ab']) == 2") == [
        "assert candidate([i for i in range(3)]) == 3",
        "assert candidate([i for i in 'ab']) == 2",
    ]


def test_asserts_that_cannot_depend_on_the_program_are_dropped():
    assert split("assert True, 'fine'\nassert candidate(1)\nassert 1 + 1 == 2") == ["assert candidate(1)"]
    assert split("assert True") == []


def test_a_call_of_a_helper_that_asserts_is_a_check():
    helpers = "def same(a, b):\n    assert a == b\ndef as_text(a, b):\n    same(str(a), b)"
    assert split("as_text(candidate(1), '2')\nsame(candidate(2), 3)", helpers) == [
        "as_text(candidate(1), '2')",
        "same(candidate(2), 3)",
    ]


def test_a_call_that_must_not_raise_is_a_check():
    assert split("assert candidate(1) == 1\ncandidate(None)") == ["assert candidate(1) == 1", "candidate(None)"]


@pytest.mark.parametrize(
    "body",
    [
        "x = candidate(1)\nassert x > 0\nassert x < 9",  # a result that two checks look at
        "xs = [3, 1]\nassert candidate(xs)\nassert xs == [3, 1]",  # a check might change what the next one sees
        "total = 0\nfor i in range(3):\n    total += candidate(i)\n    assert total\nassert total == 3",
        "for i in range(3):\n    last = candidate(i)\n    assert last\nassert last == 2",
        "if not candidate(1):\n    return\nassert candidate(2)",
        "assert (y := candidate(1))\nassert y == 2",
        "seen = []\ndef note(x):\n    return seen.append(x)\nassert candidate(note(1))\nassert candidate(note(2))",
        "assert candidate(1)\nrest = candidate(2)",  # the last call would be lost
    ],
)
def test_body_that_cannot_be_cut_safely_is_left_whole(body):
    assert split(body) is None

from __future__ import annotations

import pytest

from codegym.errors import DatasetError
from codegym.tasks.datasets.asserts import find_needs, parse


def test_tests_export_what_the_solution_defines():
    needs = find_needs("def f(x):\n    return x", "", ["assert f(len([1])) == 1"])
    assert (needs.exports, needs.imports, needs.types) == (("f",), (), ())


def test_a_function_that_shadows_a_builtin_is_exported():
    assert find_needs("def sum(a, b): return a + b", "", ["assert sum(1, 2) == 3"]).exports == ("sum",)


def test_a_name_that_the_solution_imports_is_imported_by_the_examiner():
    gold = "import os.path, sys as system\nfrom math import pi, tau as turn\ndef f(): pass"
    needs = find_needs(gold, "", ["assert f(system, turn) == os.path.sep"])
    assert needs.exports == ("f",)
    assert set(needs.imports) == {"import os.path", "import sys as system", "from math import tau as turn"}


def test_a_name_that_nobody_defines_is_left_to_the_program():
    assert find_needs("def f(): pass", "", ["assert f() == g()"]).exports == ("f", "g")


def test_names_that_the_tests_bind_are_theirs():
    tests = ["import math\nassert f(math.pi)", "assert all(f(n) for n in range(3))", "assert f((lambda f: f)(1))"]
    assert find_needs("def f(n): return n\ndef n(): pass", "start = 1", [*tests, "assert f(start)"]).exports == ("f",)


def test_classes_of_the_program_are_told_apart():
    needs = find_needs("class Node: pass\ndef f(n): pass", "root = Node()", ["assert f(root) is None"])
    assert (needs.exports, needs.types) == (("Node", "f"), ("Node",))


@pytest.mark.parametrize("source", ["def f(", "x = '\0'", "(" * 5000])
def test_text_that_is_not_python_is_an_error_that_names_the_field(source):
    with pytest.raises(DatasetError, match="field 'code': not valid Python"):
        parse(source, "code")

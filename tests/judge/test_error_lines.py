"""The line that a verdict names is the line of the completion where it went wrong.

Where a program has the comment ``# <-``, that is the line; it is counted as Python counts lines.
"""

from __future__ import annotations

import re

import pytest

from codegym.judge import Judge, Status
from codegym.sandbox.base import Limits
from codegym.sandbox.process import ProcessSandbox
from codegym.tasks.record import AssertCheck, CallCheck, StdinCheck, Task


@pytest.fixture(scope="module")
def judge():
    limits = Limits(cpu_seconds=2, wall_seconds=8, memory_mb=256, processes=16, output_mb=1, temp_mb=8)
    with ProcessSandbox(limits, num_workers=2) as sandbox:
        yield Judge(sandbox, limits)


def task(kind, preamble=""):
    if kind == "script":
        return Task("t", "p", (StdinCheck("", "never"),), preamble)
    if kind == "call":
        return Task("t", "p", (CallCheck((1,), "never"),), preamble, "f")
    return Task("t", "p", (AssertCheck("assert list(f(1)) == 'never'"),), preamble, exports=("f",))


def marked_line(program):
    lines = re.split(r"\r\n|\r|\n", program)
    (line,) = [number for number, text in enumerate(lines, 1) if "# <-" in text]
    return line


def failure(judge, kind, completion, preamble=""):
    verdict = judge(task(kind, preamble), completion)
    assert verdict.status in (Status.RUNTIME_ERROR, Status.SYNTAX_ERROR)
    return verdict.error.type, verdict.error.line


def test_error_names_the_line_of_the_completion(judge):
    verdict = judge(task("call", preamble="import math\n"), "def f(n):\n    return 1 // 0\n")
    assert (verdict.error.type, verdict.error.message) == ("ZeroDivisionError", "integer division or modulo by zero")
    assert verdict.error.line == 2


# --- errors while running ---------------------------------------------------------------------------------------

RUNTIME = {
    "a statement": ("ZeroDivisionError", "def f(n):\n    n = 0\n    return 1 // n  # <-\n"),
    "tabs": ("NameError", "def f(n):\n\tif n:\n\t\tx = 1\n\t\treturn y  # <-\n\treturn 0\n"),
    "form feed": ("NameError", "\x0cimport math\n\x0c\ndef f(n):\n    return y  # <-\n"),
    "vertical tab in a string": ("NameError", "s = 'a\x0b\x0c\u2028\x85b'\ndef f(n):\n    return y  # <-\n"),
    "byte order mark": ("NameError", "\ufeffx = 1\ndef f(n):\n    return y  # <-\n"),
    "no newline at the end": ("NameError", "def f(n):\n    return y  # <-"),
    "many blank lines": ("NameError", "\n" * 500 + "def f(n):\n\n\n    return y  # <-\n" + "\n" * 500),
    "continued line": ("NameError", "def f(n):\n    return 1 + \\\n        2 + \\\n        y  # <-\n"),
    "call over lines": (
        "ZeroDivisionError",
        "def f(n):\n    return max(\n        1,\n        1 // 0,  # <-\n        2,\n    )\n",
    ),
    "start of a call over lines": (
        "ValueError",
        "def f(n):\n    return int(  # <-\n        'a',\n        10,\n    )\n",
    ),
    "list over lines": (
        "NameError",
        "def f(n):\n    return [\n        1,\n        [\n            y,  # <-\n        ],\n    ]\n",
    ),
    "after a long string": ("NameError", 'def f(n):\n    """a\n\n    b\n    """\n    return y  # <-\n'),
    "in a format string": ("NameError", "def f(n):\n    a = 1\n    return f'{a} {y}'  # <-\n"),
    "comprehension": (
        "ZeroDivisionError",
        "def f(n):\n    return [\n        1 // k  # <-\n        for k in (2, 1, 0)\n    ]\n",
    ),
    "generator expression": (
        "ZeroDivisionError",
        "def f(n):\n    return sum(\n        1 // k  # <-\n        for k in [0]\n    )\n",
    ),
    "lambda": ("ZeroDivisionError", "g = lambda n: (\n    1 // (n - 1)  # <-\n)\ndef f(n):\n    return g(n)\n"),
    "nested function": ("KeyError", "def f(n):\n    def g(k):\n        return {}[k]  # <-\n    return g(n)\n"),
    "recursion": ("ValueError", "def f(n):\n    if n > 5:\n        raise ValueError(n)  # <-\n    return f(n + 1)\n"),
    "recursion without end": ("RecursionError", "def f(n):\n    return f(n + 1)  # <-\n"),
    "inside the standard library": (
        "JSONDecodeError",
        "import json\ndef f(n):\n    x = '{'\n    return json.loads(x)  # <-\n",
    ),
    "key function of a sort": (
        "KeyError",
        "def f(n):\n    def key(k):\n        return {}[k]  # <-\n    return sorted([1], key=key)\n",
    ),
    "decorator": (
        "NameError",
        "import functools\n@functools.lru_cache(None)\n@functools.wraps(len)\ndef f(n):\n    return y  # <-\n",
    ),
    "own decorator": (
        "TypeError",
        "def own(g):\n    def h(n):\n        return g(n) + None  # <-\n    return h\n@own\ndef f(n):\n    return n\n",
    ),
    "method": (
        "AttributeError",
        "class A:\n    def g(self):\n        return self.x  # <-\ndef f(n):\n    return A().g()\n",
    ),
    "property": (
        "KeyError",
        "class A:\n    @property\n    def g(self):\n        return {}[1]  # <-\ndef f(n):\n    return A().g\n",
    ),
    "assert statement": ("AssertionError", "def f(n):\n    assert n > 1, (  # <-\n        'n'\n    )\n    return n\n"),
    "assert over lines": ("AssertionError", "def f(n):\n    n = 0\n    assert n  # <-\n"),
    "in an except": (
        "KeyError",
        "def f(n):\n    try:\n        1 // 0\n    except ZeroDivisionError:\n        {}[n]  # <-\n",
    ),
    "raised again": (
        "ValueError",
        "def f(n):\n    try:\n        int('a')  # <-\n    except ValueError:\n        raise\n",
    ),
    "raised from another": (
        "RuntimeError",
        "def f(n):\n    try:\n        int('a')\n    except ValueError as e:\n        raise RuntimeError from e  # <-\n",
    ),
    "in a finally": ("NameError", "def f(n):\n    try:\n        return n\n    finally:\n        y  # <-\n"),
    "in a with": (
        "KeyError",
        "import contextlib\ndef f(n):\n    with contextlib.nullcontext():\n        n = 1\n        {}[n]  # <-\n",
    ),
    "unpacking": ("ValueError", "def f(n):\n    a, b = [  # <-\n        1,\n    ]\n"),
    "in a match": (
        "ZeroDivisionError",
        "def f(n):\n    match n:\n        case 0:\n            return 0\n        case _:\n            1 // 0  # <-\n",
    ),
    "wrong arguments": ("TypeError", "def g():\n    return 1\ndef f(n):\n    return g(n)  # <-\n"),
    "custom exception": ("Odd", "class Odd(Exception):\n    pass\ndef f(n):\n    raise Odd  # <-\n"),
    "hostile str": (
        "E",
        "class E(Exception):\n    def __str__(self):\n        raise ValueError\ndef f(n):\n    raise E  # <-\n",
    ),
    "hostile repr": ("E", "class E(Exception):\n    __repr__ = __str__ = None\ndef f(n):\n    raise E(1)  # <-\n"),
    "odd characters": ("ValueError", "def f(n):\n    é = '\U0001f600'\n    return int(é)  # <-\n"),
    "exec inside": ("NameError", "def f(n):\n    n = 1\n    exec('\\n\\n\\n\\ny')  # <-\n"),
    "leaves by SystemExit": ("SystemExit", "import sys\ndef f(n):\n    n = 1\n    sys.exit(1)  # <-\n"),
    "memory": ("MemoryError", "def f(n):\n    x = 1\n    return [0] * 10**12  # <-\n"),
}
TEXTS = {
    "as it is": lambda text: text,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
}


@pytest.mark.parametrize("kind", ["call", "assert"])
@pytest.mark.parametrize(("error", "program"), RUNTIME.values(), ids=RUNTIME)
def test_runtime_error_of_a_function(judge, kind, error, program):
    verdict = judge(task(kind), program)
    assert (verdict.error.type, verdict.error.line) == (error, marked_line(program))
    assert verdict.status is (Status.MEMORY_LIMIT if error == "MemoryError" else Status.RUNTIME_ERROR)


@pytest.mark.parametrize("newline", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(
    "name", ["a statement", "call over lines", "after a long string", "comprehension", "continued line"]
)
def test_runtime_error_whatever_ends_a_line(judge, name, newline):
    error, program = RUNTIME[name]
    text = newline(program)
    assert failure(judge, "call", text) == (error, marked_line(text))
    assert failure(judge, "call", text, preamble=newline("import math\n\n")) == (error, marked_line(text))
    assert failure(judge, "call", text, preamble="import math\n\n") == (error, marked_line(text))


def test_mixed_ends_of_lines_count_one_each(judge):
    program = "x = 1\r\ny = 2\rz = 3\n\r\r\n\n\rdef f(n):\r    return w  # <-\n"
    assert marked_line(program) == 9
    assert failure(judge, "call", program) == ("NameError", 9)


SCRIPTS = {
    "module code": ("NameError", "x = 1\nprint(y)  # <-\n"),
    "function": ("ZeroDivisionError", "def g():\n    return 1 // 0  # <-\nprint(1)\nprint(g())\n"),
    "class body": ("NameError", "class A:\n    x = 1\n    z = y  # <-\n"),
    "decorator that fails": ("NameError", "x = 1\n@y  # <-\ndef f(n):\n    return n\n"),
    "default argument": ("NameError", "def f(\n    n,\n    k=y,  # <-\n):\n    return n\n"),
    "annotation": ("NameError", "from typing import List\ndef f(\n    n: Lis,  # <-\n) -> List:\n    return n\n"),
    "import": ("ModuleNotFoundError", "import math\nimport no_such_module  # <-\n"),
    "end of input": ("EOFError", "while True:\n    input()  # <-\n"),
    "main guard": ("KeyError", "def main():\n    {}[1]  # <-\nif __name__ == '__main__':\n    main()\n"),
    "thread's result": (
        "ValueError",
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as pool:\n"
        "    print(pool.submit(\n        lambda: int('a')  # <-\n    ).result())\n",
    ),
    "at exit of the loop": ("IndexError", "a = [1]\nfor i in range(2):\n    print(\n        a[i]  # <-\n    )\n"),
}


@pytest.mark.parametrize(("error", "program"), SCRIPTS.values(), ids=SCRIPTS)
def test_runtime_error_of_a_script(judge, error, program):
    assert failure(judge, "script", program) == (error, marked_line(program))
    assert failure(judge, "script", program, preamble="import sys\n\n\n") == (error, marked_line(program))


@pytest.mark.parametrize("kind", ["call", "assert"])
@pytest.mark.parametrize("name", ["module code", "class body", "decorator that fails", "default argument", "import"])
def test_runtime_error_in_the_module_code_of_functions(judge, kind, name):
    error, program = SCRIPTS[name]
    assert failure(judge, kind, program) == (error, marked_line(program))


def test_generator_fails_where_the_test_consumes_it(judge):
    program = "def f(n):\n    yield 1\n    yield 1 // 0  # <-\n"
    assert failure(judge, "assert", program) == ("ZeroDivisionError", 3)


# --- prompts before the completion ------------------------------------------------------------------------------

PROMPT = '''\
from typing import List


def helper(n: int) -> float:
    """Fails for 0."""
    return 1 // n


def f(numbers: List[int]) -> int:
    """ Do something.
    >>> f([1])
    1
    """
'''


@pytest.mark.parametrize("kind", ["call", "assert"])
@pytest.mark.parametrize(
    ("error", "completion"),
    [
        ("NameError", "    return y  # <-\n"),
        ("NameError", "\n\n    # a comment\n    return y  # <-"),
        ("ZeroDivisionError", "    x = 1\n    return helper(0)  # <-\n"),
        ("ZeroDivisionError", "    def g(k):\n        return helper(k)  # <-\n    return g(0)\n"),
        (
            "ZeroDivisionError",
            "    return max(\n        [0],\n        key=helper,\n    )\n".replace("max(", "max(  # <-"),
        ),
        ("ZeroDivisionError", "    return [\n        helper(k)  # <-\n        for k in [0]\n    ]\n"),
        ("RecursionError", "    return f(numbers)  # <-\n"),
    ],
    ids=[
        "first line",
        "later line",
        "helper of the prompt",
        "through a function",
        "called by C",
        "comprehension",
        "recursion",
    ],
)
def test_completion_of_a_prompt(judge, kind, error, completion):
    assert failure(judge, kind, completion, PROMPT) == (error, marked_line(completion))
    crlf = PROMPT.replace("\n", "\r\n")
    assert failure(judge, kind, completion, crlf) == (error, marked_line(completion))


@pytest.mark.parametrize(
    ("preamble", "completion", "line"),
    [
        ("def f(n):\n    return ", "y", 1),
        ("def f(n):\n    return (", "n +\n    y)\n", 2),
        ("def f(n):", "\n    return y\n", 2),
        ("def f(n):\n    '''doc", "\n    '''\n    return y\n", 3),
        ("import math;", "import sys\ndef f(n):\n    return y\n", 3),
        ("\n\n\n", "def f(n):\n    return y\n", 2),
        ("# coding: latin-1\n", "def f(n):\n    return 'é' + y\n", 2),
        ("\ufeff# a mark\n", "def f(n):\n    return y\n", 2),
        ("x = 'a\x0bb\x0c\x1c\u2028\x85c'\n", "def f(n):\n    return y\n", 2),
    ],
    ids=[
        "in an expression",
        "in a bracket",
        "colon",
        "in a docstring",
        "semicolon",
        "blank",
        "coding",
        "mark",
        "odd breaks",
    ],
)
def test_completion_may_begin_anywhere(judge, preamble, completion, line):
    assert failure(judge, "call", completion, preamble) == ("NameError", line)


def test_error_of_the_prompt_itself_has_no_line_in_the_completion(judge):
    assert failure(judge, "call", "def f(n):\n    return n\n", preamble="y\n") == ("NameError", None)
    assert failure(judge, "call", "def f(n):\n    return n\n", preamble="def g(:\n") == ("SyntaxError", None)
    assert failure(judge, "call", "    return 1\n", preamble="import math\n1 // 0\ndef f(n):\n") == (
        "ZeroDivisionError",
        None,
    )


def test_function_that_is_missing_has_no_line(judge):
    assert failure(judge, "call", "x = 1\n") == ("NameError", None)


# --- errors while compiling -------------------------------------------------------------------------------------

SYNTAX = {
    "missing colon": ("SyntaxError", "x = 1\ndef f(n)  # <-\n    return n\n"),
    "unfinished expression": ("SyntaxError", "x = 1\ny = 1 +  # <-\nz = 2\n"),
    "unfinished expression at the end": ("SyntaxError", "def f(n):\n    return n +  # <-"),
    "unclosed bracket": ("SyntaxError", "x = 1\ny = (1,  # <-\n     2\n"),
    "unclosed bracket at the end": ("SyntaxError", "x = 1\nprint(  # <-"),
    "wrong bracket": ("SyntaxError", "x = (1,\n     2]  # <-\n"),
    "unmatched bracket": ("SyntaxError", "x = 1\ny = 2)  # <-\n"),
    "unterminated string": ("SyntaxError", "x = 1\ny = 'a  # <-\nz = 1\n"),
    "unterminated long string": ("SyntaxError", "x = 1\ny = '''# <-\nz\n"),
    "unterminated format": ("SyntaxError", "x = 1\ny = f'{x'  # <-\n"),
    "unexpected indent": ("IndentationError", "x = 1\n    y = 2  # <-\n"),
    "no body": ("IndentationError", "def f(n):\nx = 1  # <-\n"),
    "wrong dedent": ("IndentationError", "def f(n):\n        x = 1\n    return x  # <-\n"),
    "tabs and blanks": ("TabError", "def f(n):\n        x = 1\n\treturn x  # <-\n"),
    "return outside": ("SyntaxError", "x = 1\nreturn x  # <-\n"),
    "break outside": ("SyntaxError", "def f(n):\n    if n:\n        break  # <-\n"),
    "await outside": ("SyntaxError", "def f(n):\n    x = 1\n    await n  # <-\n"),
    "nonlocal": ("SyntaxError", "def f(n):\n    x = 1\n    nonlocal y  # <-\n"),
    "global too late": ("SyntaxError", "def f(n):\n    x = 1\n    global x  # <-\n"),
    "keyword": ("SyntaxError", "x = 1\nclass = 2  # <-\n"),
    "assignment to a call": ("SyntaxError", "x = 1\nf(x) = 2  # <-\n"),
    "same argument twice": ("SyntaxError", "x = 1\ndef f(n, n):  # <-\n    return n\n"),
    "leading zero": ("SyntaxError", "x = 1\ny = 007  # <-\n"),
    "odd character": ("SyntaxError", "x = 1\ny = 2 × 3  # <-\n"),
    "fence of Markdown": ("SyntaxError", "x = 1\n```  # <-\n"),
    "words": ("SyntaxError", "Here is the solution:  # <-\nx = 1\n"),
    "print of Python 2": ("SyntaxError", "x = 1\nprint x  # <-\n"),
    "null byte": ("SyntaxError", "x = 1\n'''\n\0  # <-\n'''\n"),
    "half a character": ("SyntaxError", "x = 1\n'''\n'''\ny = '\ud800'  # <-\n"),
    "second byte order mark": ("SyntaxError", "x = 1\n\ufeffy = 2  # <-\n"),
    "star outside": ("SyntaxError", "x = 1\n*x  # <-\n"),
    "future too late": ("SyntaxError", "x = 1\nfrom __future__ import division  # <-\n"),
    "after a continuation": ("SyntaxError", "x = 1 + \\\n    2 3  # <-\n"),
    "end in a continuation": ("SyntaxError", "x = 1\ny = 1 # <-\nz = \\"),
}
ELSEWHERE = {"end in a continuation": 3}


@pytest.mark.parametrize("preamble", ["", "import math\n\n", "import math\r\n\r\n"], ids=["alone", "LF", "CRLF"])
@pytest.mark.parametrize("name", SYNTAX)
def test_syntax_error(judge, name, preamble):
    error, program = SYNTAX[name]
    if name == "future too late" and not preamble:
        preamble = "import math\n"
    line = ELSEWHERE.get(name) or marked_line(program)
    for text in (program, program.replace("\n", "\r\n"), program.replace("\n", "\r")):
        assert failure(judge, "call", text, preamble) == (error, line)


@pytest.mark.parametrize(
    ("completion", "error", "line"),
    [
        ("", "IndentationError", None),  # it has no line
        ("\n", "IndentationError", 1),
        ("    return n\n  x = 1\n", "IndentationError", 2),
        ("return n\n", "IndentationError", 1),
        ("    '''\n    text\n", "SyntaxError", 1),
        ("    x = 1\n    return (n\n", "SyntaxError", 2),
        ("    if n:\n", "IndentationError", 1),
        ("    x = 1\n    for", "SyntaxError", 2),
    ],
    ids=ascii,
)
def test_syntax_error_of_a_completed_prompt(judge, completion, error, line):
    for preamble in ("def f(n):\n", "import math\n\ndef f(n):\n"):
        assert failure(judge, "call", completion, preamble) == (error, line)


def test_bracket_that_the_prompt_opened_has_no_line_in_the_completion(judge):
    assert failure(judge, "call", "1,\n2,\n", preamble="x = [\n") == ("SyntaxError", None)


def test_source_that_is_too_deep_is_a_syntax_error_of_some_line(judge):
    error, line = failure(judge, "call", "x = 1\ny = " + "(" * 1000 + ")" * 1000)
    assert error == "SyntaxError"
    assert line in (None, 2)

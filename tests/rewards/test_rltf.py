"""RLTF's fine-grained feedback: which tokens an error points to, and what they lose."""

from __future__ import annotations

import re

import pytest
from helpers.make_steps import MAX_TOKENS, TASK, end, make_last, make_lines, make_verdict

from codegym.judge import Status
from codegym.rewards import parse_reward
from codegym.rewards.credit.error_span import ErrorScope, error_scope, error_span

ERROR, SYNTAX, TIMEOUT = Status.RUNTIME_ERROR, Status.SYNTAX_ERROR, Status.TIMEOUT
PROGRAM = "a = 1\nb = c\nprint(a)\n"


def ended(program, status, error=None, **options):
    """The end of a program, each of its lines two tokens."""
    pairs = [(text, None) for text in re.findall(r"[^\n]*\n|[^\n]+", program)]
    return make_last(*pairs, verdict=make_verdict(status, error=error), **options)


def credit(text, last):
    return pytest.approx(parse_reward(text).credit(last).tolist())


def test_smallest_use():
    last = ended(PROGRAM, ERROR, ("NameError", "name 'c' is not defined", 2))
    assert credit("rltf_fine", last) == [0, 0, -0.3, -0.3, 0, 0, 0]


def test_paper_gives_a_line_the_weight_of_a_program():
    # 7 tokens written, 2 in the span: .3 * 7 / 2 each
    last = ended(PROGRAM, ERROR, ("NameError", "name 'c' is not defined", 2))
    assert credit("rltf_fine(scale='paper')", last) == [0, 0, -1.05, -1.05, 0, 0, 0]
    whole = ended(PROGRAM, TIMEOUT)
    assert credit("rltf_fine(scale='paper')", whole) == [-0.3] * 7


def test_given_tokens_are_spared():
    # 5 tokens written
    assert credit("rltf_fine(weight=0.5)", ended(PROGRAM, TIMEOUT, given=1)) == [0, 0, -0.5, -0.5, -0.5, -0.5, -0.5]
    # the paper's T is what was written: .3 * 5 / 2
    error = ("NameError", "name 'a' is not defined", 3)
    assert credit("rltf_fine(scale='paper')", ended(PROGRAM, ERROR, error, given=1)) == [0, 0, 0, 0, -0.75, -0.75, 0]
    in_prefix = ended(PROGRAM, ERROR, ("NameError", "name 'c' is not defined", 2), given=2)
    for scale in ("code", "paper"):
        assert credit(f"rltf_fine(scale={scale!r})", in_prefix) == [0] * 7


# --- how far an error reaches -----------------------------------------------------------------------------------

INDENT = "expected an indented block after 'if' statement on line 3"
LAST, EARLIER = 3, 2
# the table of the released classifier, in the words of CPython 3.8 and in those of 3.9 to 3.13
COMPILE = [
    ("TabError", "inconsistent use of tabs and spaces in indentation", EARLIER, ErrorScope.IGNORE),
    ("IndentationError", "unindent does not match any outer indentation level", EARLIER, ErrorScope.IGNORE),
    ("SyntaxError", "EOF while scanning triple-quoted string literal", LAST, ErrorScope.IGNORE),
    ("SyntaxError", "unterminated triple-quoted string literal (detected at line 3)", LAST, ErrorScope.IGNORE),
    ("SyntaxError", "unterminated triple-quoted f-string literal (detected at line 3)", LAST, ErrorScope.IGNORE),
    ("SyntaxError", "duplicate argument 'a' in function definition", EARLIER, ErrorScope.IGNORE),
    ("SyntaxError", "import * only allowed at module level", EARLIER, ErrorScope.IGNORE),
    ("ValueError", "source code string cannot contain null bytes", None, ErrorScope.IGNORE),
    ("SyntaxError", "source code string cannot contain null bytes", None, ErrorScope.IGNORE),
    ("RecursionError", "maximum recursion depth exceeded during compilation", None, ErrorScope.IGNORE),
    ("SyntaxError", "name 'x' is parameter and nonlocal", EARLIER, ErrorScope.LINE),
    ("SyntaxError", "no binding for nonlocal 'x' found", EARLIER, ErrorScope.LINE),
    ("SyntaxError", "unexpected EOF while parsing", LAST, ErrorScope.WHOLE),
    ("SyntaxError", "unexpected EOF while parsing", EARLIER, ErrorScope.LINE),
    ("SyntaxError", "'(' was never closed", LAST, ErrorScope.WHOLE),
    ("SyntaxError", "'[' was never closed", EARLIER, ErrorScope.LINE),
    ("SyntaxError", "invalid syntax", LAST, ErrorScope.WHOLE),
    ("SyntaxError", "invalid syntax. Perhaps you forgot a comma?", LAST, ErrorScope.WHOLE),
    ("SyntaxError", "expected ':'", LAST, ErrorScope.WHOLE),
    ("SyntaxError", "expected 'except' or 'finally' block", LAST, ErrorScope.WHOLE),
    ("SyntaxError", "invalid syntax", EARLIER, ErrorScope.LINE),
    ("SyntaxError", "expected ':'", EARLIER, ErrorScope.LINE),
    ("SyntaxError", "EOL while scanning string literal", LAST, ErrorScope.WHOLE),
    ("SyntaxError", "unterminated string literal (detected at line 3)", LAST, ErrorScope.WHOLE),
    ("SyntaxError", "unterminated f-string literal (detected at line 3)", LAST, ErrorScope.WHOLE),
    ("SyntaxError", "unterminated string literal (detected at line 2)", EARLIER, ErrorScope.LINE),
    ("IndentationError", "unexpected indent", LAST, ErrorScope.LINE),
    ("IndentationError", INDENT, LAST, ErrorScope.LINE),
    ("SyntaxError", "'return' outside function", LAST, ErrorScope.LINE),
    ("SyntaxError", "unmatched ')'", LAST, ErrorScope.LINE),
]
RUNTIME = [
    ("NameError", "name 'c' is not defined", EARLIER, ErrorScope.LINE),
    ("ZeroDivisionError", "division by zero", EARLIER, ErrorScope.LINE),
    ("ModuleNotFoundError", "No module named 'x'", EARLIER, ErrorScope.LINE),
    ("ImportError", "cannot import name 'x' from 'math'", EARLIER, ErrorScope.LINE),
    ("RecursionError", "maximum recursion depth exceeded", EARLIER, ErrorScope.WHOLE),
    ("RuntimeError", "dictionary changed size during iteration", EARLIER, ErrorScope.IGNORE),
    ("AssertionError", "", EARLIER, ErrorScope.IGNORE),
    ("TypeError", "f() takes 0 positional arguments but 1 was given", None, ErrorScope.IGNORE),
    ("ProcessEnded", "the process ended before its answer (1)", None, ErrorScope.IGNORE),
]


@pytest.mark.parametrize(("name", "message", "line", "reach"), COMPILE)
def test_reach_of_an_error_of_the_compiler(name, message, line, reach):
    # blank lines at the end are not its last line
    assert error_scope(ended(PROGRAM + "\n\n", SYNTAX, (name, message, line))) is reach


@pytest.mark.parametrize(("name", "message", "line", "reach"), RUNTIME)
def test_reach_of_an_error_of_the_program(name, message, line, reach):
    assert error_scope(ended(PROGRAM, ERROR, (name, message, line))) is reach


@pytest.mark.parametrize(
    ("status", "error", "reach"),
    [
        (TIMEOUT, None, ErrorScope.WHOLE),
        (TIMEOUT, ("KeyboardInterrupt", "x", 1), ErrorScope.WHOLE),
        (Status.OUTPUT_LIMIT, None, ErrorScope.WHOLE),
        (Status.MEMORY_LIMIT, None, ErrorScope.WHOLE),
        (Status.MEMORY_LIMIT, ("MemoryError", "Unable to allocate 8 GiB", 2), ErrorScope.LINE),
        (Status.WRONG_ANSWER, None, ErrorScope.IGNORE),
        (
            Status.WRONG_ANSWER,
            ("AssertionError", "no", 2),
            ErrorScope.IGNORE,
        ),  # the tests' assertion, not the program's
        (Status.PASSED, None, ErrorScope.IGNORE),
        (ERROR, None, ErrorScope.IGNORE),
    ],
)
def test_reach_of_other_outcomes(status, error, reach):
    assert error_scope(ended(PROGRAM, status, error)) is reach


@pytest.mark.parametrize(
    ("program", "reach"),
    [
        ("a = 1\nprint((a,\n", ErrorScope.WHOLE),
        ("a = 1\nfor b in a:\n", ErrorScope.WHOLE),
        ("a = 1\nfor b in a:\nprint(a)\n", ErrorScope.LINE),
        ("a = 1\nb = 'x\n", ErrorScope.WHOLE),
        ("b = 'x\na = 1\n", ErrorScope.LINE),
        ("a = 1\nb = '''x\n", ErrorScope.IGNORE),
        ("a = 1\nb = a +", ErrorScope.WHOLE),
        ("a = b +\na = 1\n", ErrorScope.LINE),
        ("try:\n    a = 1\n", ErrorScope.WHOLE),
        ("def f(a, a):\n    pass\n", ErrorScope.IGNORE),
        ("if a:\n\tb\n        c\n", ErrorScope.IGNORE),
        ("  a = 1\n", ErrorScope.LINE),
        ("a = 1\nreturn a\n", ErrorScope.LINE),
        ("a = 1 \\", ErrorScope.WHOLE),
    ],
)
def test_reach_in_the_words_of_this_interpreter(program, reach):
    with pytest.raises(SyntaxError) as raised:
        compile(program, "program", "exec")
    error = raised.value
    assert error_scope(ended(program, SYNTAX, (type(error).__name__, error.msg, error.lineno))) is reach


# --- from lines as Python counts them to tokens -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "error_line", "ours"),
    [
        ("a\nb\nc\n", 3, 3),
        ("a\r\nb\r\nc\r\n", 3, 3),  # a return before a newline is no line of its own
        ("a\rb\nc\nd\n", 2, 1),  # a lone one is, and both halves are in our first line
        ("a\rb\nc\nd\n", 3, 2),
        ("a\r\r\nb\nc\n", 3, 2),
        ("a\nb\nc\rd", 4, 3),
        ("a\x0c\x0b\u2028\x85b\nc\nd\n", 2, 2),  # none of these ends a line of Python
    ],
)
def test_line_of_the_error_is_counted_as_python_does(program, error_line, ours):
    span = error_span(ended(program, ERROR, ("NameError", "name", error_line)))
    # two tokens a line
    assert [index for index, inside in enumerate(span) if inside][:2] == [2 * ours - 2, 2 * ours - 1]


def test_line_that_is_not_there_has_no_span():
    assert not error_span(ended(PROGRAM, ERROR, ("NameError", "name", 9))).any()
    assert not error_span(make_last(verdict=make_verdict(ERROR, error=("NameError", "name", 1)))).any()


def test_token_shared_by_two_lines_is_in_the_span_of_both():
    lines = make_lines(("a\n", None), ("b\n", None), tokens=[(0, 1), (1, 2)])
    for number, span in ((1, [True, True, False, False]), (2, [False, True, True, False])):
        last = end(lines, make_verdict(ERROR, error=("NameError", "name", number)), task=TASK, max_tokens=MAX_TOKENS)
        assert error_span(last).tolist() == span

"""RLTF's fine-grained feedback: which tokens an error points to, and what they lose."""

from __future__ import annotations

import re

import pytest
from make_steps import MAX_TOKENS, TASK, end, make_last, make_lines, make_verdict

from codegym.judge import Status
from codegym.rewards import parse_reward
from codegym.rewards.error_span import Reach, error_reach, error_span

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
    ("TabError", "inconsistent use of tabs and spaces in indentation", EARLIER, Reach.IGNORE),
    ("IndentationError", "unindent does not match any outer indentation level", EARLIER, Reach.IGNORE),
    ("SyntaxError", "EOF while scanning triple-quoted string literal", LAST, Reach.IGNORE),
    ("SyntaxError", "unterminated triple-quoted string literal (detected at line 3)", LAST, Reach.IGNORE),
    ("SyntaxError", "unterminated triple-quoted f-string literal (detected at line 3)", LAST, Reach.IGNORE),
    ("SyntaxError", "duplicate argument 'a' in function definition", EARLIER, Reach.IGNORE),
    ("SyntaxError", "import * only allowed at module level", EARLIER, Reach.IGNORE),
    ("ValueError", "source code string cannot contain null bytes", None, Reach.IGNORE),
    ("SyntaxError", "source code string cannot contain null bytes", None, Reach.IGNORE),
    ("RecursionError", "maximum recursion depth exceeded during compilation", None, Reach.IGNORE),
    ("SyntaxError", "name 'x' is parameter and nonlocal", EARLIER, Reach.LINE),
    ("SyntaxError", "no binding for nonlocal 'x' found", EARLIER, Reach.LINE),
    ("SyntaxError", "unexpected EOF while parsing", LAST, Reach.WHOLE),
    ("SyntaxError", "unexpected EOF while parsing", EARLIER, Reach.LINE),
    ("SyntaxError", "'(' was never closed", LAST, Reach.WHOLE),
    ("SyntaxError", "'[' was never closed", EARLIER, Reach.LINE),
    ("SyntaxError", "invalid syntax", LAST, Reach.WHOLE),
    ("SyntaxError", "invalid syntax. Perhaps you forgot a comma?", LAST, Reach.WHOLE),
    ("SyntaxError", "expected ':'", LAST, Reach.WHOLE),
    ("SyntaxError", "expected 'except' or 'finally' block", LAST, Reach.WHOLE),
    ("SyntaxError", "invalid syntax", EARLIER, Reach.LINE),
    ("SyntaxError", "expected ':'", EARLIER, Reach.LINE),
    ("SyntaxError", "EOL while scanning string literal", LAST, Reach.WHOLE),
    ("SyntaxError", "unterminated string literal (detected at line 3)", LAST, Reach.WHOLE),
    ("SyntaxError", "unterminated f-string literal (detected at line 3)", LAST, Reach.WHOLE),
    ("SyntaxError", "unterminated string literal (detected at line 2)", EARLIER, Reach.LINE),
    ("IndentationError", "unexpected indent", LAST, Reach.LINE),
    ("IndentationError", INDENT, LAST, Reach.LINE),
    ("SyntaxError", "'return' outside function", LAST, Reach.LINE),
    ("SyntaxError", "unmatched ')'", LAST, Reach.LINE),
]
RUNTIME = [
    ("NameError", "name 'c' is not defined", EARLIER, Reach.LINE),
    ("ZeroDivisionError", "division by zero", EARLIER, Reach.LINE),
    ("ModuleNotFoundError", "No module named 'x'", EARLIER, Reach.LINE),
    ("ImportError", "cannot import name 'x' from 'math'", EARLIER, Reach.LINE),
    ("RecursionError", "maximum recursion depth exceeded", EARLIER, Reach.WHOLE),
    ("RuntimeError", "dictionary changed size during iteration", EARLIER, Reach.IGNORE),
    ("AssertionError", "", EARLIER, Reach.IGNORE),
    ("TypeError", "f() takes 0 positional arguments but 1 was given", None, Reach.IGNORE),
    ("ProcessEnded", "the process ended before its answer (1)", None, Reach.IGNORE),
]


@pytest.mark.parametrize(("name", "message", "line", "reach"), COMPILE)
def test_reach_of_an_error_of_the_compiler(name, message, line, reach):
    # blank lines at the end are not its last line
    assert error_reach(ended(PROGRAM + "\n\n", SYNTAX, (name, message, line))) is reach


@pytest.mark.parametrize(("name", "message", "line", "reach"), RUNTIME)
def test_reach_of_an_error_of_the_program(name, message, line, reach):
    assert error_reach(ended(PROGRAM, ERROR, (name, message, line))) is reach


@pytest.mark.parametrize(
    ("status", "error", "reach"),
    [
        (TIMEOUT, None, Reach.WHOLE),
        (TIMEOUT, ("KeyboardInterrupt", "x", 1), Reach.WHOLE),
        (Status.OUTPUT_LIMIT, None, Reach.WHOLE),
        (Status.MEMORY_LIMIT, None, Reach.WHOLE),
        (Status.MEMORY_LIMIT, ("MemoryError", "Unable to allocate 8 GiB", 2), Reach.LINE),
        (Status.WRONG_ANSWER, None, Reach.IGNORE),
        (Status.WRONG_ANSWER, ("AssertionError", "no", 2), Reach.IGNORE),  # the tests' assertion, not the program's
        (Status.PASSED, None, Reach.IGNORE),
        (ERROR, None, Reach.IGNORE),
    ],
)
def test_reach_of_other_outcomes(status, error, reach):
    assert error_reach(ended(PROGRAM, status, error)) is reach


@pytest.mark.parametrize(
    ("program", "reach"),
    [
        ("a = 1\nprint((a,\n", Reach.WHOLE),
        ("a = 1\nfor b in a:\n", Reach.WHOLE),
        ("a = 1\nfor b in a:\nprint(a)\n", Reach.LINE),
        ("a = 1\nb = 'x\n", Reach.WHOLE),
        ("b = 'x\na = 1\n", Reach.LINE),
        ("a = 1\nb = '''x\n", Reach.IGNORE),
        ("a = 1\nb = a +", Reach.WHOLE),
        ("a = b +\na = 1\n", Reach.LINE),
        ("try:\n    a = 1\n", Reach.WHOLE),
        ("def f(a, a):\n    pass\n", Reach.IGNORE),
        ("if a:\n\tb\n        c\n", Reach.IGNORE),
        ("  a = 1\n", Reach.LINE),
        ("a = 1\nreturn a\n", Reach.LINE),
        ("a = 1 \\", Reach.WHOLE),
    ],
)
def test_reach_in_the_words_of_this_interpreter(program, reach):
    with pytest.raises(SyntaxError) as raised:
        compile(program, "program", "exec")
    error = raised.value
    assert error_reach(ended(program, SYNTAX, (type(error).__name__, error.msg, error.lineno))) is reach


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

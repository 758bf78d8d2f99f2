"""Steps and verdicts made by hand, for tests of what reads them."""

from __future__ import annotations

from hypothesis import strategies as st

from codegym.judge import Status, Verdict
from codegym.sandbox.base import Failure
from codegym.step import Line, Step
from codegym.syntax.lines import LineKind
from codegym.tasks.record import StdinCheck, Task

CHECKS = (StdinCheck("1", "2"), StdinCheck("2", "4"))
TASK = Task(
    "double", "Print twice the number.", CHECKS, solution="# Two lines of code.\nn = int(input())\nprint(2 * n)\n"
)
MAX_TOKENS = 100


def make_verdict(*checks, error=None, executed_lines=None):
    """A verdict from the statuses of the checks, passed if there are none; ``error`` is (type, message, line)."""
    checks = checks or (Status.PASSED,)
    status = next((check for check in checks if check is not Status.PASSED), Status.PASSED)
    error = None if error is None else Failure(*error)
    return Verdict(status, checks, error, executed_lines=None if executed_lines is None else frozenset(executed_lines))


def kind_of(text):
    """The kind of a line that stands alone."""
    stripped = text.strip()
    return LineKind.BLANK if not stripped else LineKind.COMMENT if stripped[0] == "#" else LineKind.CODE


def make_line(number, text, score=None, tokens=(0, 0), given=False, kind=None):
    return Line(number, text, kind or kind_of(text), *tokens, score, given)


def make_lines(*pairs, given=0, tokens=None, kinds=None):
    """Lines from (text, score) pairs, of two tokens each where ``tokens`` has no (first, last) for them."""
    tokens = tokens or [(2 * index, 2 * index + 1) for index in range(len(pairs))]
    return tuple(
        make_line(index + 1, text, score, tokens[index], index < given, kinds and kinds[index])
        for index, (text, score) in enumerate(pairs)
    )


def end(lines, verdict, *, budget_exhausted=False, max_tokens=MAX_TOKENS, task=TASK):
    """The last step of an episode: an end-of-sequence token follows the lines, unless the budget was full."""
    num_tokens = (lines[-1].last_token + 1 if lines else 0) + (not budget_exhausted or not lines)
    open_line = lines[-1] if lines and not lines[-1].text.endswith("\n") and not lines[-1].from_prefix else None
    return Step(task, lines, open_line, num_tokens, max_tokens, True, verdict, budget_exhausted, given_tokens(lines))


def given_tokens(lines):
    return max((line.last_token + 1 for line in lines if line.from_prefix), default=0)


def make_last(*pairs, verdict=None, valid=True, budget_exhausted=False, **options):
    """The last step of a program of (text, score) pairs that passes, if nothing else is said."""
    verdict = (verdict or make_verdict()) if valid else None
    return end(make_lines(*pairs, **options), verdict, budget_exhausted=budget_exhausted)


def make_step(*pairs, **options):
    """The step that closed the last of these lines."""
    lines = make_lines(*pairs, **options)
    return Step(TASK, lines, lines[-1], lines[-1].last_token + 1, MAX_TOKENS, num_prefix_tokens=given_tokens(lines))


# --- random ones ------------------------------------------------------------------------------------------------

CHECKS = st.lists(
    st.sampled_from([status for status in Status if status is not Status.NOT_RUN]), min_size=1, max_size=4
)
ERRORS = st.none() | st.tuples(
    st.sampled_from(["SyntaxError", "NameError", "RecursionError", "RuntimeError"]),
    st.sampled_from(["", "invalid syntax", "name 'x' is not defined", "unterminated triple-quoted string literal"]),
    st.none() | st.integers(1, 8),
)
VERDICTS = st.builds(
    lambda checks, cut, error, ran: make_verdict(
        *checks, *[Status.NOT_RUN] * (cut if checks[-1] is not Status.PASSED else 0), error=error, executed_lines=ran
    ),
    CHECKS,
    st.integers(0, 2),
    ERRORS,
    st.frozensets(st.integers(1, 8)),
)
TEXTS = st.sampled_from(["x = 1", "    return x", "# note", "", "   ", "a\rb = 2", "if x:"])
SCORES = st.none() | st.floats(-1, 1)


@st.composite
def episodes(draw, verdicts=st.none() | VERDICTS):  # noqa: B008 - frozen
    """The last step of any episode: given prefixes, neutral lines, shared tokens, machine failures."""
    texts = draw(st.lists(TEXTS, max_size=7))
    given = draw(st.integers(0, len(texts)))
    is_open = bool(texts) and given < len(texts) and bool(texts[-1]) and draw(st.booleans())
    lines, token = [], 0
    for index, text in enumerate(texts):
        # a token that closes a given line may begin the first line of the policy, but does not close it
        first, last = token, token + draw(st.integers(int(index == given > 0), 3))
        score = draw(SCORES) if kind_of(text) is LineKind.CODE else None
        ending = "" if is_open and index == len(texts) - 1 else "\n"
        lines.append(make_line(index + 1, text + ending, score, (first, last), index < given))
        token = last + draw(st.integers(0, 1))  # the token that ends a line may begin the next one
    return end(tuple(lines), draw(verdicts), budget_exhausted=given < len(lines) and draw(st.booleans()))

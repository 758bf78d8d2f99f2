"""Episodes to look at."""

from __future__ import annotations

from hypothesis import strategies as st

from codegym.judge import Status, Verdict
from codegym.render import View
from codegym.sandbox.base import Failure
from codegym.step import Line
from codegym.syntax.lines import LineKind
from codegym.tasks.record import StdinCheck, Task

TASK = Task("double", "Print twice the number.", (StdinCheck("1", "2"),) * 3)
FAILED = Verdict(
    Status.RUNTIME_ERROR,
    (Status.PASSED, Status.RUNTIME_ERROR, Status.NOT_RUN),
    Failure("ZeroDivisionError", "division by zero", 3),
)
PROGRAM = (
    ("n = int(input())\n", LineKind.CODE, 0.25, 0.9),
    ("# twice\n", LineKind.COMMENT, 0.0, None),
    ("print(n / 0)", LineKind.CODE, -0.5, 0.1),
)
HOSTILE = "\x1b[31m\x00\ud800\u202e\u2028\x9b\r\t</td><script>alert(1)</script>{{ 7 * 7 }}中e\u0301שלום"


def make_view(program=PROGRAM, **fields) -> View:
    lines = tuple(Line(n, text, kind, n, n, score) for n, (text, kind, _, score) in enumerate(program, 1))
    rewards = tuple(reward for _, _, reward, _ in program)
    view = View(
        TASK, lines, "", rewards, sum(rewards), {"outcome": 0.0, "process": sum(rewards)}, None, True, 25, 100, True
    )
    return view._replace(**fields)


def program_of(*texts: str, reward: float = 0.1):
    return tuple((text, LineKind.CODE, reward, 0.5) for text in texts)


texts = st.one_of(st.text(), st.text(st.sampled_from(HOSTILE)), st.text(st.characters(), max_size=300))
numbers = st.floats() | st.sampled_from([0.0, 1.0, -1.0])


@st.composite
def views(draw) -> View:
    """Any view at all: the text of programs, prompts, names and messages is anything, and so are numbers."""
    program = draw(st.lists(st.tuples(texts, st.sampled_from(LineKind), numbers, st.none() | numbers), max_size=6))
    checks = tuple(draw(st.lists(st.sampled_from(Status), min_size=1, max_size=150)))
    error = draw(st.none() | st.builds(Failure, texts, texts, st.none() | st.integers(1, 9)))
    return make_view(
        program,
        task=Task(draw(texts.filter(bool)), draw(texts), TASK.checks),
        open_line=draw(texts),
        total=draw(numbers),
        terms=draw(st.dictionaries(texts, numbers, max_size=4)),
        verdict=draw(st.none() | st.just(Verdict(checks[0], checks, error))),
        valid=draw(st.booleans()),
        num_tokens=draw(st.integers(0)),
        max_tokens=draw(st.integers(0)),
        ended=draw(st.booleans()),
    )

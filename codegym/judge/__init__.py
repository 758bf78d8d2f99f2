"""Judges decide the verdict of a program: which checks of its task it passes, and why the others fail."""

from codegym.judge.base import JudgeLike, Status, Verdict
from codegym.judge.comparison import RULES, ComparisonRule
from codegym.judge.fake import FakeJudge
from codegym.judge.judge import Judge
from codegym.judge.meaning import read_verdict
from codegym.judge.shared import SharedJudge, make_judge

__all__ = [
    "RULES",
    "ComparisonRule",
    "FakeJudge",
    "Judge",
    "JudgeLike",
    "SharedJudge",
    "Status",
    "Verdict",
    "make_judge",
    "read_verdict",
]

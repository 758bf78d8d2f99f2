"""Judges decide which verdict a program gets."""

from codegym.judge.base import JudgeLike, Status, Verdict
from codegym.judge.fake import FakeJudge
from codegym.judge.judge import Judge

__all__ = ["FakeJudge", "Judge", "JudgeLike", "Status", "Verdict"]

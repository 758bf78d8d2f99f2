"""Line scorers return a number for every finished line of a program."""

from codegym.scorers.base import FakeLineScorer, LineScorer, ScoreRequest
from codegym.scorers.registry import SCORERS, LineScorerLike, make_line_scorer

__all__ = ["SCORERS", "FakeLineScorer", "LineScorer", "LineScorerLike", "ScoreRequest", "make_line_scorer"]

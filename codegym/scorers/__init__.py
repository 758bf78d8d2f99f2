"""Line scorers give a number to every finished line of a program."""

from codegym.scorers.base import FakeLineScorer, LineScorer, ScoreRequest

__all__ = ["FakeLineScorer", "LineScorer", "ScoreRequest"]

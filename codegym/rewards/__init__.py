"""Rewards are weighted sums of named terms, each a pure function of the steps of an episode (``codegym.step``)."""

from codegym.rewards.base import Reward, ScoresNeeded, Term, at_end, from_verdict, per_step
from codegym.rewards.credit.executed import executed_mask
from codegym.rewards.credit.spans import token_mask
from codegym.rewards.parse import RewardLike, TermLike, parse_reward
from codegym.rewards.registry import REWARDS

__all__ = [
    "REWARDS",
    "Reward",
    "RewardLike",
    "ScoresNeeded",
    "Term",
    "TermLike",
    "at_end",
    "from_verdict",
    "per_step",
    "executed_mask",
    "parse_reward",
    "token_mask",
]

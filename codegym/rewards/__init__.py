"""Rewards: weighted sums of named terms, pure functions of what happened (``codegym.facts``)."""

from codegym.rewards.base import Reward, ScoresNeeded, Term, at_end, at_verdict, causal
from codegym.rewards.executed import executed_mask
from codegym.rewards.parse import RewardLike, TermLike, parse_reward
from codegym.rewards.registry import REWARDS
from codegym.rewards.spans import token_mask

__all__ = [
    "REWARDS",
    "Reward",
    "RewardLike",
    "ScoresNeeded",
    "Term",
    "TermLike",
    "at_end",
    "at_verdict",
    "causal",
    "executed_mask",
    "parse_reward",
    "token_mask",
]

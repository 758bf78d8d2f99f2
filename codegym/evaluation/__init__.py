"""Evaluation of policies: programs for many tasks, their verdicts, and pass@k with intervals."""

from codegym.evaluation.evaluate import PromptPolicy, SamplerPolicy, evaluate
from codegym.evaluation.metrics import (
    Evaluation,
    JudgedSample,
    Score,
    bootstrap_interval,
    mean_pass_at_k,
    pass_at_k,
    score_samples,
)

__all__ = [
    "Evaluation",
    "JudgedSample",
    "PromptPolicy",
    "SamplerPolicy",
    "Score",
    "bootstrap_interval",
    "evaluate",
    "mean_pass_at_k",
    "pass_at_k",
    "score_samples",
]

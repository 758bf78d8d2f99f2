"""Samplers complete prefixes of programs with a policy."""

from codegym.sampling.base import Completion, LabelingCost, PrefixRequest, Sampler, complete, derive_seed

__all__ = ["Completion", "LabelingCost", "PrefixRequest", "Sampler", "complete", "derive_seed"]

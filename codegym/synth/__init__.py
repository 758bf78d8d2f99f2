"""Procedural tasks: endless, offline, with gold solutions, wrong programs on purpose and the true first wrong line."""

from codegym.synth.arithmetic import Arithmetic
from codegym.synth.base import Family
from codegym.synth.noise import buggy, mutants, pass_rate, pass_rates
from codegym.synth.oracle import first_wrong_line
from codegym.synth.pipelines import Pipelines
from codegym.synth.strings import Strings
from codegym.synth.words import corpus, vocabulary

FAMILIES = {"arithmetic": Arithmetic, "pipelines": Pipelines, "strings": Strings}
"""Name -> family; each is made without arguments."""

__all__ = [
    "FAMILIES",
    "Arithmetic",
    "Family",
    "Pipelines",
    "Strings",
    "buggy",
    "corpus",
    "first_wrong_line",
    "mutants",
    "pass_rate",
    "pass_rates",
    "vocabulary",
]

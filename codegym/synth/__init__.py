"""Procedural tasks: endless, offline, with gold solutions, wrong programs on purpose and the true first wrong line."""

from collections.abc import Callable

from codegym.synth.arithmetic import Arithmetic
from codegym.synth.base import Family, Procedural
from codegym.synth.control import Control
from codegym.synth.english import constructs, describe
from codegym.synth.machines import Machines
from codegym.synth.noise import buggy, mutants, pass_rate, pass_rates
from codegym.synth.oracle import first_wrong_line
from codegym.synth.pipelines import Pipelines
from codegym.synth.strings import Strings
from codegym.synth.syntax import Syntax, construct_report
from codegym.synth.words import corpus, vocabulary

FAMILIES: dict[str, Callable[[], Family]] = {
    "arithmetic": Arithmetic,
    "pipelines": Pipelines,
    "strings": Strings,
    "control": Control,
    "machines": Machines,
    "syntax": Syntax,
}
"""Name -> family; each is made without arguments."""

__all__ = [
    "FAMILIES",
    "Arithmetic",
    "Control",
    "Family",
    "Machines",
    "Pipelines",
    "Procedural",
    "Strings",
    "Syntax",
    "buggy",
    "construct_report",
    "constructs",
    "corpus",
    "describe",
    "first_wrong_line",
    "mutants",
    "pass_rate",
    "pass_rates",
    "vocabulary",
]

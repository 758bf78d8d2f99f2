"""Procedural tasks: endless, offline, with gold solutions, wrong programs on purpose and the true first wrong line."""

from collections.abc import Callable

from codegym.plugins import Plugins
from codegym.tasks.procedural.arithmetic import Arithmetic
from codegym.tasks.procedural.base import Family, Procedural
from codegym.tasks.procedural.control import Control
from codegym.tasks.procedural.english import constructs, describe
from codegym.tasks.procedural.machines import Machines
from codegym.tasks.procedural.mutants import inject_bugs, mutants, pass_rate, pass_rates
from codegym.tasks.procedural.oracle import first_wrong_line
from codegym.tasks.procedural.pipelines import Pipelines
from codegym.tasks.procedural.strings import Strings
from codegym.tasks.procedural.syntax import Syntax, construct_report
from codegym.tasks.procedural.vocabulary import sample_corpus, vocabulary

_BUILT_IN: dict[str, Callable[[], Family]] = {
    "arithmetic": Arithmetic,
    "pipelines": Pipelines,
    "strings": Strings,
    "control": Control,
    "machines": Machines,
    "syntax": Syntax,
}

FAMILIES = Plugins[Callable[[], Family]]("family", "codegym.families", _BUILT_IN)
"""Name -> class or function that makes the family without arguments."""

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
    "inject_bugs",
    "construct_report",
    "constructs",
    "sample_corpus",
    "describe",
    "first_wrong_line",
    "mutants",
    "pass_rate",
    "pass_rates",
    "vocabulary",
]

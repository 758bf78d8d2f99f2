"""An experiment: a question, the designs that answer it, and the words of its report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.lab.design import Design
from benchmarks.lab.results import Results
from codegym.plugins import Plugins


@dataclass(frozen=True)
class Panel:
    """One panel of the map: a few arms that answer one question."""

    title: str
    """Message of the panel, as a short sentence."""
    arms: tuple[str, ...]
    """Names of its arms."""
    with_labels: bool = False
    """Whether completions of the labels count as programs."""


@dataclass(frozen=True)
class Experiment:
    """A question, the designs that answer it, and the words of its report."""

    name: str
    """Name of the default folder of results, ``runs/NAME``."""
    quick: Design
    """Design that ends in minutes."""
    full: Design
    """Design of the complete experiment."""
    summarize: Callable[[Results], str]
    """Function that writes the summary of the results in Markdown."""
    panels: tuple[Panel, ...] = ()
    """Panels of the map; empty for one panel with all arms."""


DEFAULT_EXPERIMENT = "prm_pays"
EXPERIMENTS: Plugins[Experiment] = Plugins(
    "experiment", "codegym.experiments", {DEFAULT_EXPERIMENT: "benchmarks.experiments.prm_pays:EXPERIMENT"}
)
"""Name -> experiment."""

"""The command line of an agent, made from its configuration."""

from __future__ import annotations

import tyro
from rich.console import Console
from rich.table import Table

from agents.common.config import RunConfig
from agents.common.curve import draw_curve
from agents.common.run import Run
from agents.registry import Agent
from codegym.cli import errors_as_sentences


def run_from_cli(agent: Agent, description: str | None) -> None:
    """Read a configuration from the command line, train, and show the result.

    An expected error is one sentence and exit status 1, an interruption exit status 130.

    Args:
        agent: Agent to train.
        description: First part of the help, usually the docstring of the module.
    """
    program = agent.train.__module__
    with errors_as_sentences("agents" if program == "__main__" else program):
        show(agent.train(tyro.cli(agent.config, description=description)), Console())


def show(run: Run[RunConfig], console: Console) -> None:
    """Print the first and the last row of the log, draw ``curve.png``, and print the paths of both results.

    Args:
        run: The finished run.
        console: Console to print to.
    """
    rows = run.metrics()
    table = Table("metric", "first iteration", "last iteration", title=str(run.folder))
    for name in rows[0] | rows[-1]:
        table.add_row(name, *[f"{row[name]:.4g}" if name in row else "" for row in (rows[0], rows[-1])])
    console.print(table)
    console.print(f"policy: {run.folder / 'policy'}", soft_wrap=True)
    try:
        draw_curve(rows, run.folder / "curve.png")
        console.print(f"curve: {run.folder / 'curve.png'}", soft_wrap=True)
    except ImportError as error:  # the run is complete without a picture
        console.print(str(error), markup=False)

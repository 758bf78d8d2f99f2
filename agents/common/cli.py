"""The command line of an agent, from its configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

from agents.common.curve import draw_curve
from agents.common.run import Run
from codegym.errors import SandboxError


def run_from_cli(config_type: type[Any], train: Callable[..., Run], description: str | None) -> None:
    """Read the configuration from the command line, train, print the last row of the log, draw the curve."""
    config = tyro.cli(config_type, description=description)
    try:
        run = train(config)
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted: the same command goes on from the last checkpoint")
        raise SystemExit(130) from None
    except SandboxError as error:
        Console(stderr=True).print(str(error), markup=False)
        raise SystemExit(1) from None
    show(run, Console())


def show(run: Run, console: Console) -> None:
    """Print what the log says at the start and at the end, and draw ``curve.png``."""
    rows = run.metrics()
    table = Table("what", "at the start", "at the end", title=str(run.folder))
    for name in rows[0] | rows[-1]:
        table.add_row(name, *[f"{row[name]:.4g}" if name in row else "" for row in (rows[0], rows[-1])])
    console.print(table)
    try:
        draw_curve(rows, run.folder / "curve.png")
    except ImportError as error:  # the run is complete without it
        console.print(str(error), markup=False)

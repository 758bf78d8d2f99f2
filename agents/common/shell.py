"""The command line of an agent, from its configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

from agents.common.run import Run


def run_from_shell(config_type: type[Any], train: Callable[..., Run], description: str | None) -> None:
    """Read the configuration from the command line, train, print the last row of the log."""
    config = tyro.cli(config_type, description=description)
    try:
        run = train(config)
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted: the same command goes on from the last checkpoint")
        raise SystemExit(130) from None
    table = Table("what", "at the start", "at the end", title=str(config.out))
    first, *_, last = [*run.metrics(), *run.metrics()[-1:]]
    for name in last:
        table.add_row(name, f"{first.get(name, float('nan')):.4g}", f"{last[name]:.4g}")
    Console().print(table)

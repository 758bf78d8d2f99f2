"""``codegym replay``: play recorded episodes again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from codegym.envs.replay import replay as play
from codegym.render import ansi


def replay(
    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")],
    sandbox: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None,
    path: Path | None = None,
    show: bool = False,
    html: Path | None = None,
) -> int:
    """Play recorded episodes again, and compare observations, rewards and verdicts bit by bit.

    FILE was written by codegym.envs.replay.RecordActions, one episode a line:
        env = RecordActions(gym.make("codegym/Token-v0"), "episodes.jsonl")

    Try:
        codegym replay episodes.jsonl
        codegym replay episodes.jsonl --sandbox process --html pages

    The exit status is 1 if an episode differs.

    Args:
        file: File of recorded episodes, .jsonl.
        sandbox: Sandbox to judge in instead of the recorded one, named as in gym.make.
        path: File of the data set, if it has moved since the episodes were recorded.
        show: Print every episode, each line colored by its reward.
        html: Folder for an HTML page of each episode.
    """
    changes = {key: value for key, value in (("sandbox", sandbox), ("path", path and str(path))) if value is not None}
    table = Table("line", "task", "reward", "status", "replay")
    differing = 0
    for episode in play(file, **changes):
        differing += bool(episode.differences)
        outcome = "; ".join(episode.differences) or "identical"
        table.add_row(str(episode.line), episode.task_id, f"{episode.reward:g}", episode.status, _short(outcome))
        if show:
            print(ansi(episode.env.batch.view(0)))
        if html is not None:
            html.mkdir(parents=True, exist_ok=True)
            episode.env.save_html(html / f"{episode.line}.html")
    Console().print(table)
    return 1 if differing else 0


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:197] + "..."

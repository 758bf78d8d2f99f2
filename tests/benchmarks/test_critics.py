"""What critics know at their start: the benchmark with a policy that knows nothing."""

from __future__ import annotations

import json

from rich.console import Console

from agents.policies.causal import make_tiny
from benchmarks.experiments.critics import CriticRow, CriticsOptions, critics_table, main
from codegym.scorers.prm import ProcessRewardModel
from codegym.tasks.procedural import FAMILIES, vocabulary


def test_every_critic_is_measured_once_and_kept(tmp_path):
    policy = make_tiny(vocabulary(FAMILIES["pipelines"]())).save(tmp_path / "policy")
    ProcessRewardModel.from_policy(policy).save(tmp_path / "prm")
    folders = {"policy": policy, "prm": tmp_path / "prm", "value_model": tmp_path / "prm", "out": tmp_path / "out"}
    options = CriticsOptions(**folders, horizons=(1,), seeds=2, programs=4, states=2, completions=2, sandbox="fake")
    main(options)
    rows = json.loads((tmp_path / "out" / "critics.json").read_text("utf-8"))
    assert [row["critic"] for row in rows][::3] == ["from scratch", "a value model"]
    assert all(row["at_start"] == row["before_update"] == [None, None] for row in rows)  # two seeds, none passes
    logs = {file: file.read_text("utf-8") for file in (tmp_path / "out").rglob("metrics.jsonl")}
    main(options)
    assert len(logs) == 10 and all(file.read_text("utf-8") == text for file, text in logs.items())


def test_seeds_are_shown_with_their_range():
    shown = Console(width=120, record=True, quiet=False)
    with shown.capture() as captured:
        shown.print(critics_table([CriticRow(3, "from scratch", at_start=(0.0, 0.2), before_update=(None, 0.3))]))
    assert "0.10 (0.00..0.20)" in captured.get() and "none passed" in captured.get()

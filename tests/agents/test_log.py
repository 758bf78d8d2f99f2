"""The log of a run."""

from __future__ import annotations

import json
import sys

import pytest

from agents.common.log import Log


def rows(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_row_an_iteration(tmp_path) -> None:
    log = Log(tmp_path, 0)
    log.write({"iteration": 0, "reward": 0.25})
    log.close()
    assert rows(tmp_path) == [{"iteration": 0, "reward": 0.25}]
    assert [*(tmp_path / "tensorboard").iterdir()]


def test_what_is_not_finite_is_left_out(tmp_path) -> None:
    log = Log(tmp_path, 0)
    log.write({"iteration": 0, "explained_variance": float("nan"), "reward": float("inf"), "pass_rate": 0.0})
    log.close()
    assert rows(tmp_path) == [{"iteration": 0, "pass_rate": 0.0}]


def test_it_goes_on_where_training_goes_on(tmp_path) -> None:
    for first, last in ((0, 3), (2, 4)):  # interrupted in iteration 3, with a checkpoint of two
        log = Log(tmp_path, first)
        for iteration in range(first, last):
            log.write({"iteration": iteration, "from": first})
        log.close()
    assert [(row["iteration"], row["from"]) for row in rows(tmp_path)] == [(0, 0), (1, 0), (2, 2), (3, 2)]


def test_a_missing_package_is_named_before_anything_is_trained(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)  # as if it were not installed
    with pytest.raises(
        ImportError, match=r"wandb_project='codes' needs the package wandb: pip install 'codegym\[wandb\]'"
    ):
        Log(tmp_path, 0, "codes")


def test_weights_and_biases_works_offline(tmp_path, monkeypatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    for first in (0, 1):  # the second time it goes on
        log = Log(tmp_path, first, "codes", {"seed": 1})
        log.write({"iteration": first, "reward": 0.5})
        log.close()
    assert [row["iteration"] for row in rows(tmp_path)] == [0, 1]
    assert len([*tmp_path.glob("wandb/offline-run-*/*.wandb")]) == 2

"""The arithmetic behind the shares of a training run, and a small run through the process sandbox."""

from __future__ import annotations

import itertools
import json
import sys
import time

import pytest
import torch
from torch.nn import functional

from agents import ppo
from benchmarks.speed.training import end_to_end, shares
from benchmarks.speed.training.__main__ import TrainingOptions, main
from benchmarks.speed.training.end_to_end import TrainingTimes
from benchmarks.speed.training.products import Products
from benchmarks.speed.training.stages import PLACES, STAGES, Clock, watched

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="boxes need Linux")


def test_a_product_is_counted_where_it_happens():
    with Products(lambda: "policy update") as products:
        torch.randn(2, 3) @ torch.randn(3, 4)
    assert products.gflop() == {"policy update": 2 * 2 * 3 * 4 / 1e9}
    assert products.seconds()["policy update"] > 0


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (lambda: functional.linear(torch.randn(5, 7, 3), torch.randn(4, 3)), 2 * 35 * 3 * 4),
        (lambda: functional.linear(torch.randn(7, 3), torch.randn(4, 3), torch.randn(4)), 2 * 7 * 3 * 4),
        (lambda: torch.randn(6, 2, 3) @ torch.randn(6, 3, 4), 2 * 6 * 2 * 3 * 4),
        (lambda: torch.randn(2, 3) + torch.randn(2, 3), 0),  # no product
    ],
    ids=["linear", "with bias", "batch", "sum"],
)
def test_operations_of_products(action, expected):
    with Products(lambda: "rest") as products:
        action()
    assert sum(products.gflop().values()) == expected / 1e9


@pytest.mark.parametrize(("causal", "share"), [(False, 1.0), (True, 0.5)])
def test_attention_backward_has_five_products_for_two(causal, share):
    queries, keys, values = (torch.randn(2, 4, 6, 8, requires_grad=True) for _ in range(3))
    stage = itertools.chain(["forward"], itertools.repeat("backward"))
    with Products(lambda: next(stage)) as products:
        functional.scaled_dot_product_attention(queries, keys, values, is_causal=causal).sum().backward()
    forward = 2 * (2 * 2 * 4 * 6 * 6 * 8) * share  # queries with keys, weights with values
    assert products.gflop() == {"forward": forward / 1e9, "backward": 2.5 * forward / 1e9}
    assert products.seconds()["backward"] > 0


def test_operands_are_made_again_in_their_layout():
    with Products(lambda: "rest") as products:
        torch.randn(3, 2).T @ torch.randn(4).expand(3, 4)
    (call,) = products.calls["rest"]
    made = [operand.make() for operand in call.arguments]
    assert [(*each.shape, *each.stride()) for each in made] == [(2, 3, 1, 2), (3, 4, 0, 1)]


def test_an_inner_stage_counts_for_itself_only(monkeypatch):
    ticks = iter([0.0, 1.0, 3.0, 6.0, 10.0, 15.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    clock = Clock()  # 0
    with clock.stage("environment"), clock.stage("scoring"):  # from 1, and from 3 to 6
        assert clock.current == "scoring"
    clock.charge()  # environment to 10, the rest to 15
    taken = {stage: seconds for stage, seconds in clock.wall.items() if seconds}
    assert taken == {"environment": 2.0 + 4.0, "scoring": 3.0, "rest": 1.0 + 5.0}


def test_the_agents_are_as_before_afterwards():
    before = [getattr(owner, name) for owner, name, _ in PLACES]
    with pytest.raises(KeyboardInterrupt), watched(Clock()):
        assert ppo.update_policy is not before[PLACES.index((ppo, "update_policy", "policy update"))]
        raise KeyboardInterrupt
    assert [getattr(owner, name) for owner, name, _ in PLACES] == before


def test_a_row_sets_operations_against_cpu_time():
    found = TrainingTimes("dense", 100, "process", gflop={"scoring": 30.0}, product_seconds={"scoring": 0.5})
    for stage in STAGES:
        found.seconds[stage], found.cpu_seconds[stage] = [0.0, 0.0], [0.0, 0.0]
    found.seconds |= {"scoring": [2.0, 4.0], "rest": [2.0, 4.0]}
    found.cpu_seconds["scoring"] = [1.0, 1.0]
    found.matrix_rates, found.tokens = [60.0, 60.0], [90.0, 90.0]
    found.judge_cpu_seconds, found.thread_cpu_seconds = [1.0, 1.0], [0.5, 0.5]
    row = ["scoring", "3.000 (2.000..4.000)", "50%", "1.000", "30.0", "30.0", "50%", "50%"]
    assert shares.share_cells(found, "scoring") == row
    assert shares.share_cells(found, "judging") == ["judging", "0.000 (0.000..0.000)", "0%", "0.000", "", "", "", ""]
    assert shares.share_summary(found).startswith("19 (12..25) programs/s end to end, 90 tokens a program")


@linux
def test_small_runs_through_the_process_sandbox(tmp_path, capsys):
    small = end_to_end.EndToEndOptions(
        cache=tmp_path,
        sft_programs=64,
        arms=("dense", "sparse GRPO"),
        programs=16,
        iterations=1,
        sandbox="process",
    )
    main(TrainingOptions(parts=("end-to-end",), end_to_end=small, out=tmp_path / "found.json"))
    dense, sparse = json.loads((tmp_path / "found.json").read_text("utf-8"))["end_to_end"]
    taken = {stage for stage, (seconds,) in dense["seconds"].items() if seconds > 0}
    # verdicts may be there before anybody asks, and PPO leaves a policy alone while all programs earn nothing
    assert taken >= set(STAGES) - {"judging", "policy update"}
    assert sparse["seconds"]["scoring"] == sparse["seconds"]["critic update"] == [0.0]
    assert set(dense["gflop"]) >= {"generation", "scoring", "critic update"}
    assert set(sparse["gflop"]) == {"generation", "policy update"}
    assert "programs/s end to end" in capsys.readouterr().out

"""The report of the experiment, from results made by hand; the arms themselves are tested as agents."""

from __future__ import annotations

import math

import pytest

from benchmarks.experiment.report import programs_to, report, spread
from benchmarks.experiment.settings import QUICK, Experiment
from benchmarks.experiment.start import _label_tasks

COST = {
    "programs": 300,
    "completions": 5000,
    "executions": 4000,
    "label_seconds": 60.0,
    "agreement_with_oracle": 0.96,
    "balanced_accuracy": 0.9,
    "calibration_error": 0.05,
}


def make_result(arm, rates, seed=0):
    curve = [{"programs": 256 * (number + 1), "pass_rate": rate} for number, rate in enumerate(rates)]
    final = {"pass_rate": rates[-1], "interval": [rates[-1] - 0.1, rates[-1] + 0.1]}
    return {"arm": arm, "seed": seed, "curve": curve, "sampled": final, "greedy": final}


def test_the_report_has_a_row_for_each_arm(tmp_path):
    experiment = Experiment(arms=("sparse PPO", "both"))
    results = [make_result("sparse PPO", [0.0, 0.1, 0.2]), make_result("both", [0.0, 0.6, 0.7])]
    report(experiment, COST, results, tmp_path)
    rows = (tmp_path / "table.md").read_text("utf-8").splitlines()
    assert rows[2] == "| sparse PPO | 1 | 0.000 | 0.200 (0.100..0.300) | 0.200 | never | 0 |"
    assert rows[3] == "| both | 1 | 0.000 | 0.700 (0.600..0.800) | 0.700 | 768 | 5,000 |"  # its labels are counted
    assert "One seed says little" in (tmp_path / "summary.md").read_text("utf-8")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_the_goal_is_reached_when_two_iterations_agree():
    assert programs_to(make_result("dense", [0.0, 0.9, 0.1, 0.9])["curve"], 0.5) == 768  # .9 and .1
    assert programs_to(make_result("dense", [0.0, 0.6, 0.3])["curve"], 0.5) == math.inf


def test_what_was_never_reached_is_said():
    assert spread([512, 256, math.inf]) == "256..never"
    assert spread([512]) == "512"


def test_an_unknown_arm_is_refused():
    with pytest.raises(ValueError, match="no arm 'dance'; there are sparse PPO"):
        Experiment(arms=("dance",)).chosen_arms()


def test_labelled_tasks_are_shorter_than_those_of_the_arms():
    lines = [task.solution.count("\n") - 2 for task in _label_tasks(Experiment(label_programs=20)).values()]
    assert max(lines) <= QUICK.label_horizon[1] < QUICK.horizon

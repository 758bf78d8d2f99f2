"""The experiment: prices and report from results made by hand, its plan, and one arm for real."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
from rich.console import Console

from agents.policies.causal import make_tiny
from benchmarks.lab.__main__ import Options
from benchmarks.lab.__main__ import main as report_from_file
from benchmarks.lab.experiment import ARMS, FULL, QUICK, Cell, Experiment
from benchmarks.lab.plots import draw_map
from benchmarks.lab.prepare import _label_tasks
from benchmarks.lab.report import Found, report, sentence, with_interval
from benchmarks.lab.runner import Runner, _execute, _order, plan, restore, tune, tuning_row
from benchmarks.lab.stats import interval_of_median, median, said, samples_to_threshold
from benchmarks.lab.train_arm import RunSpec, main, prm_of, tasks_of
from codegym.tasks.procedural import FAMILIES, vocabulary

COST = {
    "programs": 300,
    "completions": 5000,
    "executions": 4000,
    "label_seconds": 60.0,
    "agreement_with_oracle": 0.96,
    "balanced_accuracy": 0.9,
    "same_line_auc": 0.85,
    "calibration_error": 0.05,
}
TWO = Experiment(cells=(Cell(3), Cell(5, difficulty=1.0)), arms=("sparse PPO", "both"))
STARTS = {"3 lines": [0.1, 0.09, 0.11], "5 lines, hard 1": [0.001, 0.0005, 0.002]}


def make_curve(rates):
    return [{"programs": 512 * (number + 1), "eval_pass_rate": rate} for number, rate in enumerate(rates)]


def make_result(cell, arm, rates, seed=0):
    final = {"pass_rate": rates[-1], "interval": [rates[-1] - 0.1, rates[-1] + 0.1]}
    return {
        "cell": asdict(cell),
        "arm": arm,
        "seed": seed,
        "curve": make_curve(rates),
        "sampled": final,
        "greedy": final,
    }


def make_found():
    easy, hard = TWO.cells
    results = [
        make_result(easy, "sparse PPO", [0.0, 0.6, 0.7]),
        make_result(easy, "both", [0.6, 0.7]),
        make_result(hard, "sparse PPO", [0.0, 0.0]),
        make_result(hard, "both", [0.0, 0.5, 0.5]),
    ]
    return Found(TWO, STARTS, COST, results)


def test_the_report_has_a_row_for_each_arm_of_each_cell(tmp_path):
    report(make_found(), tmp_path)
    rows = (tmp_path / "table.md").read_text("utf-8").splitlines()
    assert rows[2] == "| 3 lines | 0.1 | sparse PPO | 1 | 0.70 (0.60..0.80) | 0.70 | 1,536 | 1,536 |"
    assert rows[5] == "| 5 lines, hard 1 | 0.001 | both | 1 | 0.50 (0.40..0.60) | 0.50 | 1,536 | 6,536 |"  # and 5,000
    assert "One seed says little" in (tmp_path / "summary.md").read_text("utf-8")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_a_cell_in_a_sentence():
    easy, hard = TWO.cells
    found = make_found()
    assert sentence(found, easy).endswith(
        "both needed the fewest programs (1,024), sparse PPO as the best without the PRM 1,536; so the labels are paid "
        "back by 10 runs that share them."  # 5,000 / 512
    )
    assert sentence(found, hard).endswith(
        "both needed the fewest programs (1,536) besides its labels, and no arm without the PRM came to 50% in 10,240, "
        "which is more than the 6,536 with the labels."
    )
    swapped = [{**each, "arm": {"both": "sparse PPO"}.get(each["arm"], "both")} for each in found.results]
    worse = replace(found, results=swapped)
    assert sentence(worse, easy).endswith(
        "sparse PPO needed the fewest programs (1,024); the PRM saves nothing (both: 1,536)."
    )
    assert sentence(worse, hard).endswith("and no arm with the PRM came to 50%.")
    assert sentence(replace(found, results=found.results[2:3]), hard).endswith("no arm came to 50%.")


def test_a_curriculum_is_a_rival_of_its_own():
    cell, names = TWO.cells[0], ("sparse PPO", "both", "curriculum", "curriculum + both")
    rates = ([0.0, 0.0], [0.5, 0.5], [0.0, 0.6, 0.6], [0.6, 0.6])
    results = [make_result(cell, *each) for each in zip(names, rates, strict=True)]
    found = replace(make_found(), experiment=replace(TWO, arms=names), results=results)
    assert sentence(found, cell) == (
        "**3 lines**, of which the start solves 0.1. On these tasks alone: both needed the fewest programs (1,024) "
        "besides its labels, and no arm without the PRM came to 50% in 10,240, which is more than the 6,024 with the "
        "labels. With a curriculum: curriculum + both needed the fewest programs (1,024), curriculum as the best "
        "without the PRM 1,536; so the labels are paid back by 10 runs that share them."
    )


def test_a_cell_without_rivals_is_said_to_have_none():
    found = make_found()
    labeled = [result for result in found.results if result["arm"] == "both"]
    assert sentence(replace(found, results=labeled), TWO.cells[0]).endswith("and no arm without the PRM was run.")


def test_a_start_that_never_passed_is_below_its_bound():
    found = replace(make_found(), starts=STARTS | {"3 lines": [0.0, 0.0, 0.0002]})
    assert [found.start_of(cell) for cell in TWO.cells] == ["<0.0002", "0.001"]


def test_two_seeds_have_the_span_of_both_intervals():
    assert with_interval([0.5, 0.7], [(0.4, 0.6), (0.65, 0.75)]) == "0.60 (0.40..0.75)"


def test_results_are_kept_as_data(tmp_path):
    found = make_found()
    found.write(tmp_path / "results.json")
    assert Found.read(tmp_path / "results.json") == found
    report_from_file(Options(report=tmp_path / "results.json", out=tmp_path / "again"))
    assert {file.name for file in (tmp_path / "again").iterdir()} == {"table.md", "summary.md", "curves.png", "map.png"}


def test_the_map_shows_what_was_never_reached(tmp_path):
    draw_map(make_found(), tmp_path)
    assert (tmp_path / "map.png").stat().st_size > 10_000


def test_the_goal_is_reached_when_two_evaluations_agree():
    assert samples_to_threshold(make_curve([0.0, 0.9, 0.1, 0.9])) == 1_536  # .9 and .1
    assert samples_to_threshold(make_curve([0.0, 0.6, 0.3])) == math.inf
    assert samples_to_threshold([{"programs": 256}, *make_curve([0.5]), {"programs": 768}, *make_curve([0.5])]) == 512


def test_a_price_that_half_of_the_seeds_never_paid_is_infinite():
    assert median([1.0, 2.0, math.inf]) == 2.0
    assert median([1.0, math.inf]) == math.inf
    assert interval_of_median([3.0, 1.0]) == (1.0, 3.0)
    low, high = interval_of_median([1.0, 2.0, 3.0, 4.0, math.inf])
    assert (low, high) == (1.0, math.inf)
    assert (said(math.inf), said(1234.0)) == ("never", "1,234")


def test_arms_are_tuned_with_the_same_number_of_trials():
    assert {len(arm.trials) for arm in ARMS} == {3}
    assert all(arm.tuned in arm.trials for arm in ARMS)


def test_tuning_prefers_what_was_cheap_and_else_what_was_better_on_the_way():
    curves = {"late": [0.0, 0.0, 0.6, 0.6], "early": [0.5, 0.5], "never": [0.0, 0.1], "worse": [0.0, 0.0]}
    rows = [tuning_row({"arm": name, "options": {}, "curve": make_curve(rates)}) for name, rates in curves.items()]
    assert [row["arm"] for row in sorted(rows, key=_order)] == ["early", "late", "never", "worse"]


def test_an_arm_that_joins_later_is_tuned_alone(tmp_path, monkeypatch):
    rows = [{"arm": arm.name, "options": arm.tuned, "price": 1.0, "mean_pass_rate": 0.5} for arm in ARMS[:-1]]
    restore(Found(FULL, {}, COST, [], rows), tmp_path)
    ran = []

    def run(_, todo):
        ran.append((todo.arm, todo.options))
        return make_result(todo.cell, todo.arm, [0.5, 0.5]) | {"options": todo.options}

    monkeypatch.setattr(Runner, "run", run)
    chosen = tune(Runner(FULL, tmp_path, tmp_path, "fake", 1, Console(quiet=True)))
    assert ran == [("value model", options) for options in ARMS[-1].trials]
    assert [*chosen] == [arm.name for arm in ARMS] and chosen["value model"] == {"learning_rate": 3e-4}


def test_a_critic_starts_from_the_model_that_its_arm_names(tmp_path):
    todo = RunSpec(FULL, Cell(3), "", {}, 0, "", str(tmp_path / "prm"), "", "fake")
    folders = {arm.name: prm_of(todo, arm).name for arm in ARMS if arm.needs_labels}
    assert folders.pop("value model") == "value_model" and {*folders.values()} == {"prm"}


def test_an_unknown_arm_is_refused():
    with pytest.raises(ValueError, match="no arm 'dance'; there are sparse PPO"):
        Experiment(arms=("dance",)).chosen_arms()


def test_an_arm_that_wants_a_model_of_values_needs_completions_to_be_kept():
    with pytest.raises(ValueError, match="keep_completions must be above 0"):
        replace(QUICK, arms=("value model",)).chosen_arms()


def test_the_plan_has_something_of_every_cell_first(tmp_path):
    runner = Runner(FULL, tmp_path, tmp_path, "fake", 1, Console(quiet=True))
    todos = plan(runner, {arm.name: arm.trials[0] for arm in ARMS})
    assert len(todos) == len({todo.out for todo in todos}) == (3 * 3 + 2 * 5) * len(ARMS)
    first = {(todo.cell, todo.arm) for todo in todos[: 5 * len(ARMS)]}
    assert first == {(cell, arm.name) for cell in FULL.cells for arm in ARMS}
    assert len(plan(runner, {arm.name: {} for arm in ARMS}, 1)) == 5 * len(ARMS)


def test_where_budgets_are_equal_arms_without_labels_may_write_what_labels_cost(tmp_path):
    runner = Runner(FULL, tmp_path, tmp_path, "fake", 1, Console(quiet=True), completions=1_000)
    of = {todo.arm: todo.cell for todo in plan(runner, {arm.name: {} for arm in ARMS}, 1) if todo.cell.equal_budgets}
    assert of["sparse PPO"].iterations == of["curriculum"].iterations == of["dense"].iterations + 4  # of 256 programs


def test_an_arm_that_fails_does_not_keep_others_from_being_done(tmp_path, monkeypatch):
    ran = []

    def run(_, todo):
        ran.append(todo.arm)
        if todo.arm == "sparse PPO":
            _execute([sys.executable, "-c", "print('why'); raise SystemExit(3)"], tmp_path / "log.txt")
        return {}

    monkeypatch.setattr(Runner, "run", run)
    runner = Runner(FULL, tmp_path, tmp_path, "fake", 1, Console(quiet=True))
    with pytest.raises(SystemExit, match="exit status 3; the end of .*log.txt:\nwhy"):
        runner.run_all(plan(runner, {arm.name: {} for arm in ARMS}, 1)[: len(ARMS)])
    assert ran == [arm.name for arm in ARMS]


def test_results_that_are_known_are_not_run_again(tmp_path):
    easy = FULL.cells[0]
    result = {**make_result(easy, "curriculum + both", [0.5, 0.6]), "cell": vars(easy)}
    rows = [{"arm": arm.name, "options": arm.tuned, "price": 1.0, "mean_pass_rate": 0.5} for arm in ARMS]
    restore(Found(FULL, {}, COST, [result], rows), tmp_path)
    runner = Runner(FULL, tmp_path, tmp_path, "fake", 1, Console(quiet=True))
    assert tune(runner) == {arm.name: arm.tuned for arm in ARMS}
    (todo,) = [todo for todo in plan(runner, tune(runner), 1) if (todo.cell, todo.arm) == (easy, "curriculum + both")]
    assert runner.run(todo)["curve"] == result["curve"]


def test_an_experiment_survives_json():
    assert Experiment.of(json.loads(json.dumps(FULL.as_dict()))) == FULL


@pytest.mark.parametrize("experiment", [QUICK, FULL])
def test_labelled_tasks_are_not_longer_than_told(experiment):
    lines = [task.solution.count("\n") - 2 for task in list(_label_tasks(experiment).values())[:40]]
    assert max(lines) <= experiment.label_horizon[1] <= experiment.longest


def test_a_curriculum_has_all_lengths_and_other_arms_one():
    rng = np.random.default_rng(0)
    lengths = [
        {tasks_of(QUICK, Cell(3), curriculum=curriculum).draw(rng).metadata["horizon"] for _ in range(40)}
        for curriculum in (False, True)
    ]
    assert lengths == [{3}, {1, 2, 3}]


def test_one_arm_in_its_own_process(tmp_path):
    family = FAMILIES["pipelines"]()
    make_tiny(vocabulary(family)).save(tmp_path / "start")
    experiment = Experiment(programs=4, eval_programs=4, eval_every=1)
    cell = Cell(1, iterations=2)
    todo = RunSpec(
        experiment,
        cell,
        "sparse GRPO",
        {"group_size": 2},
        0,
        str(tmp_path / "start"),
        "",
        str(tmp_path / "arm"),
        "fake",
    )
    (tmp_path / "arm").mkdir()
    todo.write(tmp_path / "arm.json")
    main(tmp_path / "arm.json")
    result = json.loads((tmp_path / "arm" / "result.json").read_text("utf-8"))
    assert [point["programs"] for point in result["curve"]] == [4, 8]
    assert all("eval_pass_rate" in point for point in result["curve"])

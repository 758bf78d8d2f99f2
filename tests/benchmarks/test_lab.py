"""The laboratory: records, costs and reports from results made by hand, the plan of runs, and one arm for real."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from agents.policies.causal import make_tiny
from benchmarks.experiments.prm_pays import ARMS, EXPERIMENT, FULL, PANELS, QUICK, sentence
from benchmarks.lab.__main__ import LabOptions, claim
from benchmarks.lab.__main__ import main as run_lab
from benchmarks.lab.design import Arm, Design, RunSpec, Setting
from benchmarks.lab.experiment import EXPERIMENTS
from benchmarks.lab.plots import draw_map
from benchmarks.lab.prepare import draw_label_tasks
from benchmarks.lab.records import from_plain, read_record, to_plain, write_record
from benchmarks.lab.report import format_pass_rates, write_report
from benchmarks.lab.results import ArmResult, PassRate, PRMSummary, Results, TuningTrial
from benchmarks.lab.runner import Runner, execute, import_results, make_trial, plan, trial_order, tune
from benchmarks.lab.stats import CurvePoint, format_count, interval_of_median, median, samples_to_threshold
from benchmarks.lab.train_arm import main, make_tasks, prm_folder
from codegym.errors import ResumeError
from codegym.tasks.procedural import FAMILIES, vocabulary

ROOT = Path(__file__).resolve().parents[2]
PRM = PRMSummary(
    programs=300,
    completions=5000,
    executions=4000,
    label_seconds=60.0,
    agreement_with_oracle=0.96,
    balanced_accuracy=0.9,
    same_line_auc=0.85,
    calibration_error=0.05,
)
TWO = Design((Setting(3), Setting(5, difficulty=1.0)), (FULL.get_arm("sparse PPO"), FULL.get_arm("both")))
EASY, HARD = TWO.settings
RATES = {"3 lines": (0.1, 0.09, 0.11), "5 lines, hard 1": (0.001, 0.0005, 0.002)}


def make_curve(rates):
    return tuple(CurvePoint(512 * (number + 1), eval_pass_rate=rate) for number, rate in enumerate(rates))


def make_result(setting, arm, rates, seed=0, options=None):
    final = PassRate(rates[-1], (rates[-1] - 0.1, rates[-1] + 0.1))
    return ArmResult(setting, arm, seed, options or {}, make_curve(rates), final, final)


def make_results():
    runs = (
        make_result(EASY, "sparse PPO", [0.0, 0.6, 0.7]),
        make_result(EASY, "both", [0.6, 0.7]),
        make_result(HARD, "sparse PPO", [0.0, 0.0]),
        make_result(HARD, "both", [0.0, 0.5, 0.5]),
    )
    return Results(TWO, RATES, PRM, runs)


def make_runner(out, design=FULL, **options):
    return Runner(design, out, out, "fake", 1, Console(quiet=True), **options)


def test_the_report_has_a_row_for_each_arm_of_each_setting(tmp_path):
    write_report(EXPERIMENT, make_results(), tmp_path)
    rows = (tmp_path / "table.md").read_text("utf-8").splitlines()
    assert rows[2] == "| 3 lines | 0.1 | sparse PPO | 1 | 0.70 (0.60..0.80) | 0.70 | 1,536 | 1,536 |"
    assert rows[5] == "| 5 lines, hard 1 | 0.001 | both | 1 | 0.50 (0.40..0.60) | 0.50 | 1,536 | 6,536 |"  # and 5,000
    assert "One seed proves little" in (tmp_path / "summary.md").read_text("utf-8")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_an_experiment_is_named_or_imported():
    assert EXPERIMENTS.get_plugin("prm_pays") is EXPERIMENT
    assert EXPERIMENTS.get_plugin("benchmarks.experiments.prm_pays:EXPERIMENT") is EXPERIMENT
    with pytest.raises(ValueError, match="unknown experiment: got 'prm_pay' .did you mean 'prm_pays'"):
        EXPERIMENTS.get_plugin("prm_pay")


def test_the_sentence_of_a_setting():
    results = make_results()
    assert sentence(results, EASY).endswith(
        "both needed the fewest programs (1,024); the best arm without the PRM, sparse PPO, needed 1,536. The labels "
        "pay off if 10 runs share them."  # 5,000 / 512
    )
    assert sentence(results, HARD).endswith(
        "both needed the fewest programs (1,536) besides its labels, and no arm without the PRM reached 50% in 10,240, "
        "which is more than the 6,536 with the labels."
    )
    swapped = [replace(run, arm={"both": "sparse PPO"}.get(run.arm, "both")) for run in results.runs]
    worse = replace(results, runs=tuple(swapped))
    assert sentence(worse, EASY).endswith(
        "sparse PPO needed the fewest programs (1,024); the PRM saves nothing (both: 1,536)."
    )
    assert sentence(worse, HARD).endswith("and no arm with the PRM reached 50%.")
    assert sentence(replace(results, runs=results.runs[2:3]), HARD).endswith("no arm reached 50%.")


def test_arms_with_a_curriculum_are_compared_apart():
    names = ("sparse PPO", "both", "curriculum", "curriculum + both")
    rates = ([0.0, 0.0], [0.5, 0.5], [0.0, 0.6, 0.6], [0.6, 0.6])
    runs = tuple(make_result(EASY, *each) for each in zip(names, rates, strict=True))
    results = replace(make_results(), design=replace(TWO, arms=tuple(map(FULL.get_arm, names))), runs=runs)
    assert sentence(results, EASY) == (
        "**3 lines**, initial pass rate 0.1. On these tasks alone: both needed the fewest programs (1,024) besides its "
        "labels, and no arm without the PRM reached 50% in 10,240, which is more than the 6,024 with the labels. "
        "With a curriculum: curriculum + both needed the fewest programs (1,024); the best arm without the PRM, "
        "curriculum, needed 1,536. The labels pay off if 10 runs share them."
    )


def test_the_sentence_of_a_setting_without_rivals():
    results = make_results()
    labeled = tuple(run for run in results.runs if run.arm == "both")
    assert sentence(replace(results, runs=labeled), EASY).endswith("and no arm without the PRM was run.")


def test_an_initial_pass_rate_of_zero_is_shown_as_its_bound():
    results = replace(make_results(), initial_pass_rates=RATES | {"3 lines": (0.0, 0.0, 0.0002)})
    assert [results.initial_pass_rate(setting) for setting in TWO.settings] == ["<0.0002", "0.001"]


def test_two_seeds_have_the_span_of_both_intervals():
    rates = [PassRate(0.5, (0.4, 0.6)), PassRate(0.7, (0.65, 0.75))]
    assert format_pass_rates(rates) == "0.60 (0.40..0.75)"


def test_results_are_kept_as_data(tmp_path):
    results = make_results()
    write_record(tmp_path / "results.json", results)
    assert read_record(Results, tmp_path / "results.json") == results
    run_lab(LabOptions(report=tmp_path / "results.json", out=tmp_path / "again"))
    assert {file.name for file in (tmp_path / "again").iterdir()} == {"table.md", "summary.md", "curves.png", "map.png"}


@pytest.mark.parametrize("record", [QUICK, FULL, make_results(), TuningTrial("both", {"learning_rate": 1e-4}, 0.5)])
def test_records_survive_json(record):
    assert from_plain(type(record), json.loads(json.dumps(to_plain(record)))) == record


def test_fields_that_are_none_are_left_out_of_json():
    assert to_plain(CurvePoint(512, eval_pass_rate=0.5)) == {"programs": 512, "eval_pass_rate": 0.5}


def test_an_unknown_field_is_refused():
    with pytest.raises(ValueError, match="unknown field of Setting: got 'num_line' .did you mean 'num_lines'"):
        from_plain(Setting, {"num_line": 3})


@pytest.mark.parametrize("panels", [PANELS, PANELS[:1], ()])
def test_the_map_is_drawn_with_the_panels_whose_arms_exist(tmp_path, panels):
    draw_map(make_results(), panels, tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size > 10_000


def test_every_arm_has_a_color_of_its_own_and_a_panel():
    assert len({arm.color for arm in ARMS}) == len(ARMS)
    assert {name for panel in PANELS for name in panel.arms} == {arm.name for arm in ARMS}
    assert all(len(panel.arms) <= 4 for panel in PANELS)


def test_the_threshold_is_reached_when_two_evaluations_agree():
    assert samples_to_threshold(make_curve([0.0, 0.9, 0.1, 0.9])) == 1_536  # .9 and .1
    assert samples_to_threshold(make_curve([0.0, 0.6, 0.3])) == math.inf
    between = (CurvePoint(256), *make_curve([0.5]), CurvePoint(768), *make_curve([0.5]))
    assert samples_to_threshold(between) == 512


def test_a_median_is_infinite_if_half_of_the_costs_are():
    assert median([1.0, 2.0, math.inf]) == 2.0
    assert median([1.0, math.inf]) == math.inf
    assert interval_of_median([3.0, 1.0]) == (1.0, 3.0)
    low, high = interval_of_median([1.0, 2.0, 3.0, 4.0, math.inf])
    assert (low, high) == (1.0, math.inf)
    assert (format_count(math.inf), format_count(1234.0)) == ("never", "1,234")


def test_arms_are_tuned_with_the_same_number_of_trials():
    assert {len(arm.trials) for arm in ARMS} == {3}
    assert all(arm.tuned in arm.trials for arm in ARMS)


def test_tuning_prefers_low_costs_and_then_high_pass_rates():
    curves = {"late": [0.0, 0.0, 0.6, 0.6], "early": [0.5, 0.5], "never": [0.0, 0.1], "worse": [0.0, 0.0]}
    trials = [make_trial(make_result(EASY, name, rates)) for name, rates in curves.items()]
    assert [trial.arm for trial in sorted(trials, key=trial_order)] == ["early", "late", "never", "worse"]


def test_an_arm_that_joins_later_is_tuned_alone(tmp_path, monkeypatch):
    trials = tuple(TuningTrial(arm.name, arm.tuned, 0.5, 1.0) for arm in ARMS[:-1])
    import_results(Results(FULL, {}, PRM, (), trials), tmp_path)
    ran = []

    def run(_, spec):
        ran.append((spec.arm, spec.options))
        return make_result(spec.setting, spec.arm, [0.5, 0.5], options=spec.options)

    monkeypatch.setattr(Runner, "run", run)
    chosen = tune(make_runner(tmp_path))
    assert ran == [("value model", options) for options in ARMS[-1].trials]
    assert [*chosen] == [arm.name for arm in ARMS] and chosen["value model"] == {"learning_rate": 3e-4}


def test_a_critic_starts_from_the_model_that_its_arm_names(tmp_path):
    spec = RunSpec(FULL, Setting(3), "", {}, 0, "", str(tmp_path / "prm"), "", "fake")
    folders = {arm.name: prm_folder(spec, arm).name for arm in ARMS if arm.needs_labels}
    assert folders.pop("value model") == "value_model" and {*folders.values()} == {"prm"}


def test_an_unknown_arm_is_refused():
    with pytest.raises(ValueError, match="unknown arm: got 'dence' .did you mean 'dense'"):
        FULL.get_arm("dence")


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ((Arm("a"), Arm("a")), "two arms have one name"),
        ((Arm("a"), Arm("b", trials=({}, {}))), "unequal tuning budgets: got a: 1, b: 2"),
        ((Arm("a", value_init="value_model"),), "got keep_completions=0; expected at least 1"),
    ],
)
def test_an_impossible_design_is_refused(arms, message):
    with pytest.raises(ValueError, match=message):
        Design((Setting(3),), arms)


def test_a_folder_belongs_to_one_design(tmp_path):
    claim(tmp_path, QUICK)
    claim(tmp_path, replace(QUICK, arms=tuple(replace(arm, description="new words") for arm in QUICK.arms)))
    with pytest.raises(ResumeError, match="was made with other settings: got batch_size=64; expected 256"):
        claim(tmp_path, replace(QUICK, batch_size=64))


def test_the_plan_starts_with_one_seed_of_every_setting(tmp_path):
    specs = plan(make_runner(tmp_path), {arm.name: arm.trials[0] for arm in ARMS})
    assert len(specs) == len({spec.out for spec in specs}) == (3 * 3 + 2 * 5) * len(ARMS)
    first = {(spec.setting, spec.arm) for spec in specs[: 5 * len(ARMS)]}
    assert first == {(setting, arm.name) for setting in FULL.settings for arm in ARMS}
    assert len(plan(make_runner(tmp_path), {arm.name: {} for arm in ARMS}, 1)) == 5 * len(ARMS)


def test_arms_without_labels_may_write_as_many_programs_more_as_the_labels_cost(tmp_path):
    specs = plan(make_runner(tmp_path, label_completions=1_000), {arm.name: {} for arm in ARMS}, 1)
    iterations = {spec.arm: spec.setting.num_iterations for spec in specs if spec.setting.match_label_budget}
    assert iterations["sparse PPO"] == iterations["curriculum"] == iterations["dense"] + 4  # of 256 programs


def test_a_failed_arm_does_not_stop_the_others(tmp_path, monkeypatch):
    ran = []

    def run(_, spec):
        ran.append(spec.arm)
        if spec.arm == "sparse PPO":
            execute([sys.executable, "-c", "print('why'); raise SystemExit(3)"], tmp_path / "log.txt")
        return make_result(spec.setting, spec.arm, [0.5])

    monkeypatch.setattr(Runner, "run", run)
    runner = make_runner(tmp_path)
    with pytest.raises(SystemExit, match="exit status 3; the end of .*log.txt:\nwhy"):
        runner.run_all(plan(runner, {arm.name: {} for arm in ARMS}, 1)[: len(ARMS)])
    assert ran == [arm.name for arm in ARMS]


def test_reused_results_are_not_run_again(tmp_path):
    easy = FULL.settings[0]
    result = make_result(easy, "curriculum + both", [0.5, 0.6])
    trials = tuple(TuningTrial(arm.name, arm.tuned, 0.5, 1.0) for arm in ARMS)
    import_results(Results(FULL, {}, PRM, (result,), trials), tmp_path)
    runner = make_runner(tmp_path)
    assert tune(runner) == {arm.name: arm.tuned for arm in ARMS}
    (spec,) = [spec for spec in plan(runner, tune(runner), 1) if (spec.setting, spec.arm) == (easy, result.arm)]
    assert runner.run(spec) == result


@pytest.mark.parametrize("design", [QUICK, FULL])
def test_labeled_tasks_have_at_most_the_lines_of_the_design(design):
    lines = [task.solution.count("\n") - 2 for task in list(draw_label_tasks(design).values())[:40]]
    assert max(lines) <= design.label_lines[1] <= design.max_lines


def test_a_curriculum_has_all_lengths_and_other_arms_one():
    rng = np.random.default_rng(0)
    lengths = [
        {make_tasks(QUICK, Setting(3), curriculum=curriculum).draw(rng).metadata["horizon"] for _ in range(40)}
        for curriculum in (False, True)
    ]
    assert lengths == [{3}, {1, 2, 3}]


def test_one_arm_in_its_own_process(tmp_path):
    make_tiny(vocabulary(FAMILIES["pipelines"]())).save(tmp_path / "start")
    design = replace(QUICK, batch_size=4, eval_programs=4, eval_every=1)
    start, out = str(tmp_path / "start"), str(tmp_path / "arm")
    spec = RunSpec(design, Setting(1, num_iterations=2), "sparse GRPO", {"group_size": 2}, 0, start, "", out, "fake")
    (tmp_path / "arm").mkdir()
    write_record(tmp_path / "arm.json", spec)
    main(tmp_path / "arm.json")
    result = read_record(ArmResult, tmp_path / "arm" / "result.json")
    assert [point.programs for point in result.curve] == [4, 8]
    assert all(point.eval_pass_rate is not None for point in result.curve)


def test_the_published_map_has_the_full_design():
    results = read_record(Results, ROOT / "benchmarks/results/map.json")
    assert results.design == FULL  # so that --reuse accepts it
    assert {run.arm for run in results.runs} == {arm.name for arm in ARMS}

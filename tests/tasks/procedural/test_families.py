"""Every family: its tasks are sound, found again by their ids, and split into train and test."""

from __future__ import annotations

import json
import os
import pickle
import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from codegym import Judge
from codegym.sandbox.backends import open_sandbox
from codegym.tasks.procedural import FAMILIES, Arithmetic, Pipelines, inject_bugs, mutants, vocabulary
from codegym.tasks.source import TaskSource
from codegym.tokenizers import VocabularyTokenizer


def test_a_task_is_drawn_and_found_again():
    family = Pipelines(horizon=3)
    task = family.draw(np.random.default_rng(0))
    assert task == family.by_id(task.task_id)
    assert task.prompt.startswith("f(") and task.prompt.endswith("\n")
    assert task.solution.startswith("def f(")


def test_the_solution_passes_and_an_empty_program_does_not(tasks, passes):
    assert all(passes(task, task.solution) and not passes(task, "def f(a):\n    pass\n") for task in tasks)


def test_solution_passes_and_wrong_programs_fail_in_the_sandbox(tasks):
    rng = np.random.default_rng(1)
    pairs = [(task, program) for task in tasks[:4] for program, _ in list(mutants(task, rng))[:4]]
    with open_sandbox("process", num_workers=1) as sandbox:
        judge = Judge(sandbox)
        assert all(verdict.passed for verdict in judge.judge_all([(task, task.solution) for task in tasks[:4]]))
        assert not any(verdict.passed for verdict in judge.judge_all(pairs))


def test_a_task_has_six_checks_of_plain_data_that_differ(tasks):
    for task in tasks:
        assert len(task.checks) == 6
        arguments = [[list(check.arguments), check.expected] for check in task.checks]
        assert json.loads(json.dumps(arguments)) == arguments
        assert len({repr(check.expected) for check in task.checks}) >= 3


def test_metadata_is_plain_and_has_an_entry_a_line(tasks):
    for task in tasks:
        assert json.loads(json.dumps(task.metadata)) == task.metadata
        for name in ("operations", "bug_rates", "wrong_lines"):
            assert len(task.metadata[name]) == task.solution.count("\n")


def test_the_horizon_is_the_number_of_required_lines(family, passes):
    for horizon in (family.horizons[0], family.horizons[0] + 3):
        task = replace(family, horizon=horizon).draw(np.random.default_rng(2))
        lines = task.solution.splitlines(keepends=True)
        assert len(lines) == horizon + 2
        without = ["".join(lines[:place] + lines[place + 1 :]) for place in range(len(lines))]
        assert not any(passes(task, program) for program in without)


def test_every_wrong_line_is_noticed(tasks, passes):
    for task in tasks:
        lines = task.solution.splitlines()
        for place, wrong_lines in enumerate(task.metadata["wrong_lines"]):
            assert wrong_lines or not task.metadata["bug_rates"][place]
            for wrong in wrong_lines:
                assert not passes(task, "\n".join([*lines[:place], wrong, *lines[place + 1 :]]))


def test_ids_are_found_whatever_the_knobs(family):
    other = replace(family, horizon=family.horizons[1], split="test", difficulty=1.0)
    task = family.draw(np.random.default_rng(3))
    assert other.by_id(task.task_id) == task == pickle.loads(pickle.dumps(family)).by_id(task.task_id)


@pytest.mark.parametrize("spoil", ["", "x", "{}x", "x{}", "{}:1", "{}-"])
def test_another_id_is_a_key_error(family, spoil):
    task = family.draw(np.random.default_rng(4))
    with pytest.raises(KeyError):
        family.by_id(spoil.format(task.task_id))


def test_an_id_of_the_other_split_is_a_key_error(tasks, family):
    for task in tasks:
        with pytest.raises(KeyError):
            family.by_id(task.task_id.replace(":train:", ":test:"))


def test_ids_have_one_form_only(family):
    name, split, horizon, hard, seed = family.draw(np.random.default_rng(4)).task_id.split(":")
    for parts in (f"0{horizon}:{hard}:{seed}", f"{horizon}:{hard}.0:{seed}", f"{horizon}:{hard}:0{seed}"):
        with pytest.raises(KeyError):
            family.by_id(f"{name}:{split}:{parts}")


COUNTS = {"pipelines": 1500, "strings": 1500, "control": 150, "machines": 100, "syntax": 100}


def test_train_and_test_share_no_prompt_and_no_behaviour(family):
    seen = {}
    for split in ("train", "test"):
        low = family.horizons[0]
        drawing = replace(family, horizon=(low, low + 2), split=split)
        rng = np.random.default_rng(5)
        drawn = [drawing.draw(rng) for _ in range(COUNTS[family.name] // (1 if split == "train" else 4))]
        seen[split] = {task.prompt for task in drawn}, {behaviour(family, task) for task in drawn}
        assert len(seen[split][0]) > 10
    assert not seen["train"][0] & seen["test"][0]
    assert not seen["train"][1] & seen["test"][1]


def behaviour(family, task) -> str:
    """What the solution gives for arguments of our own choice, as many as it takes to tell behaviours apart."""
    names = {}
    exec(task.solution, names)
    source = random.Random(6)
    answers = []
    for _ in range(40):
        try:
            answers.append(names["f"](*family.sample_arguments(source)))
        except (IndexError, ValueError, ZeroDivisionError) as error:
            answers.append(type(error).__name__)
    return repr(answers)


def test_no_hash_seed_changes_a_draw():
    code = (
        "import numpy as np; from codegym.tasks.procedural import FAMILIES, inject_bugs, vocabulary\n"
        "rng = np.random.default_rng(8)\n"
        "for name, family in FAMILIES.items():\n"
        "    tasks = [family().draw(rng) for _ in range(3)]; print(tasks)\n"
        "    print([inject_bugs(task, rng) for task in tasks], vocabulary(family()))"
    )
    answers = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert answers[0] == answers[1] != ""


def test_families_are_task_sources_and_frozen_values(family):
    assert isinstance(family, TaskSource)
    assert family == type(family)() and hash(family) == hash(type(family)())


def test_hard_tasks_go_wrong_more_often():
    rng = np.random.default_rng(9)
    easy, hard = ([Pipelines(5, difficulty=level).draw(rng) for _ in range(40)] for level in (0, 1))
    assert np.mean([task.metadata["bug_rates"] for task in hard]) > 1.15 * np.mean(
        [task.metadata["bug_rates"] for task in easy]
    )


@pytest.mark.parametrize(
    "knobs",
    [{"horizon": 0}, {"horizon": (3, 2)}, {"horizon": 99}, {"split": "dev"}, {"difficulty": -0.1}, {"difficulty": 2}],
)
def test_knobs_out_of_range_are_refused(family, knobs):
    with pytest.raises(ValueError, match=next(iter(knobs))):
        replace(family, **knobs)


def test_too_few_tasks_is_an_error_and_no_endless_loop(monkeypatch):
    monkeypatch.setattr(Pipelines, "draft", lambda *arguments: None)
    with pytest.raises(ValueError, match="no task in"):
        Pipelines().draw(np.random.default_rng(0))


def test_every_family_is_made_without_arguments():
    assert all(callable(made().draw) for made in FAMILIES.values())
    assert inject_bugs(FAMILIES["strings"]().draw(np.random.default_rng(0)), np.random.default_rng(0), 0).startswith(
        "def f("
    )


def test_arithmetic_is_spelled_by_its_ids_and_goes_wrong_line_by_line(passes):
    rng = np.random.default_rng(0)
    assert [Arithmetic().draw(rng).task_id for _ in range(3)] == [
        f"arithmetic:{steps}" for steps in ("-5+3+1", "+8", "*5-9")
    ]
    task = Arithmetic(horizon=4, split="test").draw(rng)
    assert task.solution.count("\n") == 6
    rng = np.random.default_rng(1)
    programs = [program for program, _ in mutants(task, rng)]
    assert len(programs) > 8 and not any(passes(task, program) for program in programs)
    assert passes(task, inject_bugs(task, rng, 0)) and not passes(task, inject_bugs(task, rng, 100))
    tokenizer = VocabularyTokenizer(vocabulary(Arithmetic()))
    assert all(tokenizer.encode(task.prompt + program) for program in programs)


def test_arithmetic_has_one_difficulty():
    with pytest.raises(ValueError, match="difficulty of arithmetic: got 0.5; expected 0"):
        Arithmetic(difficulty=0.5)

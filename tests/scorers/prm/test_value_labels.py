"""Values that are learned from the completions of labels: targets by hand, a world whose values are known."""

from __future__ import annotations

import random
import warnings
from dataclasses import replace

import pytest
from helpers.prm_worlds import make_labeled

from codegym.scorers.labels import JudgedCompletion, LabeledProgram
from codegym.scorers.prm import ProcessRewardModel, TrainConfig
from codegym.scorers.prm.train import evaluate_prm, make_examples, train_prm
from codegym.scorers.prm.value_labels import encode_completions, score_completions

CONFIG = TrainConfig(target="values", loss="cross_entropy", epochs=4, learning_rate=3e-3, holdout_fraction=0.2)


def make_model(**options) -> ProcessRewardModel:
    return ProcessRewardModel.from_scratch("bytes", width=32, num_layers=1, **{"max_tokens": 96, **options})


def test_every_token_from_the_prefix_on_has_what_became_of_the_program():
    program = make_labeled(1, "a\nb\n", prompt="pq", completions=(JudgedCompletion(1, "c\n", True),))
    (whole, failed), (trial, passed) = encode_completions(make_model(), program)
    assert bytes(whole.ids) == b"pqa\nb\n" and whole.positions == [1, 2, 3, 4, 5] and failed == [-1.0] * 5
    # the state after the prefix is that after its newline, token 3
    assert bytes(trial.ids) == b"pqa\nc\n" and trial.positions == [3, 4, 5] and passed == [1.0] * 3


def test_what_cannot_be_read_is_no_example_and_a_prompt_may_be_empty():
    model = make_model(max_tokens=4, max_prompt_tokens=1)
    long = make_labeled(1, "a\nbcdef\n", prompt="pq", completions=(JudgedCompletion(2, "c\n", True),))
    rows = [(bytes(row.ids), row.positions) for row, _ in encode_completions(model, long)]
    assert rows == [(b"qa\n", [0, 1, 2])]  # the prefix of the other one has a line that is not read
    readable = make_labeled(1, "a\nbcdef\n", prompt="pq", completions=(JudgedCompletion(1, "cdefg\n", True),))
    assert [row.positions for row, _ in encode_completions(model, readable)] == [[0, 1, 2], [2]]
    [(row, _)] = encode_completions(model, make_labeled(1, "a\n", prompt=""))
    assert row.positions == [0, 1]


def test_lines_are_scored_against_the_end_of_their_own_program():
    program = make_labeled(
        1, "a\n# Why.\nb\n", completions=(JudgedCompletion(1, "# Why.\nc\n", True), JudgedCompletion(3, "", False))
    )
    assert [list(one.labels) for one in score_completions(make_model(), [program])] == [[-1.0, -1.0], [1.0], []]


def worlds(count: int = 500) -> list[LabeledProgram]:
    """A line with an x is lost; every other one that is still to come goes wrong half of the time."""
    rng, programs = random.Random(0), []

    def write(begun: list[str]) -> str:
        return "".join(f"{rng.choice('ax')}\n" for _ in range(3 - len(begun)))

    for number in range(count):
        first = [f"{rng.choice('ax')}\n"]
        text = "".join(first) + write(first)
        completions = [JudgedCompletion(1, end, "x" not in first[0] + end) for end in (write(first) for _ in range(4))]
        programs.append(
            make_labeled(0, text, prompt=f"{number}\n", passed="x" not in text, completions=tuple(completions))
        )
    return programs


def test_a_model_learns_how_often_a_state_ends_well():
    model = make_model()
    report = train_prm(model, worlds(), CONFIG)
    assert report.target == "values" and report.calibration_error < 0.05
    values = [(score + 1) / 2 for score in model.score_lines([("777\n", ["a\n", "a\n", "a\n"], [0, 1, 2])])[0]]
    assert values == pytest.approx([0.25, 0.5, 1.0], abs=0.1)
    [lost] = model.score_lines([("777\n", ["a\n", "x\n"], [1])])[0]
    assert (lost + 1) / 2 < 0.1
    assert evaluate_prm(model, worlds(20), "values").programs == 20 * 5


def test_all_programs_are_learned_from_those_of_hard_tasks_too():
    hard = make_labeled(0, "x\n", prompt="1\n")
    assert hard.is_hard and len(make_examples(make_model(), [hard], replace(CONFIG, selection="remove_hard"))) == 1
    model = make_model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fifty programs are too few to learn from
        train_prm(model, worlds(50), replace(CONFIG, epochs=1, on_useless="warn"))
    assert model.card["training"]["learned"]["programs"] + model.card["training"]["held_out"]["programs"] == 50

"""Training: learns a toy rule in seconds, can be interrupted, and shuts the gate where nothing was learned."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from helpers.prm_worlds import toy_programs

from codegym.scorers.labels import LabeledProgram, SuccessCount, split_by_task
from codegym.scorers.prm import ProcessRewardModel, TrainConfig
from codegym.scorers.prm.report import PRMQualityError
from codegym.scorers.prm.train import evaluate_prm, make_example, make_examples, mean_loss, train_prm

QUICK = TrainConfig(epochs=4, learning_rate=3e-3, holdout_fraction=0.2)


def make_model(**options) -> ProcessRewardModel:
    return ProcessRewardModel.from_scratch("bytes", width=32, num_layers=1, **{"max_tokens": 96, **options})


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
def test_learns_a_toy_rule(loss):
    model = make_model()
    report = train_prm(model, toy_programs(), replace(QUICK, loss=loss))
    assert report.balanced_accuracy > 0.95 and report.calibration_error < 0.15
    assert model.card["report"] == report.as_dict()
    assert model.card["training"]["learned"]["programs"] + report.programs == 400
    assert [epoch["epoch"] for epoch in model.card["history"]] == [1, 2, 3, 4]


@pytest.mark.parametrize("labels", ["soft", "marginal"])
def test_learns_soft_and_marginal_labels(labels):
    report = train_prm(make_model(), toy_programs(), replace(QUICK, target=labels))
    assert report.balanced_accuracy > 0.9 and report.target == labels


def test_learns_from_revised_programs_and_reports_on_all():
    model = make_model()
    report = train_prm(model, toy_programs(), replace(QUICK, selection="revised_only", epochs=10))
    assert [*model.card["training"]["learned"]["classes"]] == ["revised"]
    assert [*model.card["training"]["held_out"]["classes"]] == ["correct", "revised", "wrong"]
    assert report.balanced_accuracy > 0.9


def test_a_witness_is_an_example_of_right_lines_for_hard_labels_only():
    program = LabeledProgram("t", "p\n", "a\nb\n", False, 1, {1: SuccessCount(1, 1), 2: SuccessCount(0, 1)}, "a\nc\n")
    model = make_model()
    targets = [example.targets for example in make_examples(model, [program], QUICK)]
    assert targets == [[1, -1], [1, 1]]
    for without in (replace(QUICK, witnesses=False), replace(QUICK, target="soft")):
        assert len(make_examples(model, [program], without)) == 1


def test_where_nothing_can_be_learned_the_gate_is_shut():
    luck = random.Random(1)
    programs = toy_programs(150, rule=lambda _: luck.random() < 0.25)
    with pytest.raises(PRMQualityError):
        train_prm(make_model(), programs, replace(QUICK, epochs=1))
    model = make_model()
    with pytest.warns(UserWarning, match="no better than chance"):
        report = train_prm(model, programs, replace(QUICK, epochs=1, on_useless="warn"))
    assert model.card["report"] == report.as_dict()


def weights(model) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


class StopsAfterEpoch:
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def __call__(self, told) -> None:
        if told["epoch"] == self.epoch:
            raise KeyboardInterrupt


def test_interrupted_and_gone_on_is_the_same_bit_for_bit(tmp_path):
    programs, path = toy_programs(100), tmp_path / "run" / "checkpoint.pt"
    whole, again = make_model(), make_model()
    torch.manual_seed(1)
    train_prm(whole, programs, QUICK)
    with pytest.raises(KeyboardInterrupt):
        train_prm(make_model(), programs, QUICK, checkpoint=path, on_epoch=StopsAfterEpoch(2))
    torch.manual_seed(2)  # global randomness has no say
    train_prm(again, programs, QUICK, checkpoint=path)
    assert torch.equal(weights(whole), weights(again))
    assert whole.card == again.card
    with pytest.raises(ValueError, match="other settings"):
        train_prm(make_model(), programs, replace(QUICK, seed=1), checkpoint=path)
    with pytest.raises(ValueError, match="a checkpoint of another run"):
        train_prm(make_model(), programs[1:], QUICK, checkpoint=path)


def test_the_held_out_tasks_are_other_tasks_and_always_the_same():
    programs = [*toy_programs(300), *toy_programs(300)]
    learned, held_out = split_by_task(programs, 0.2)
    assert not {p.task_id for p in learned} & {p.task_id for p in held_out}
    assert len(learned) + len(held_out) == 600 and 80 < len(held_out) < 160
    assert split_by_task(programs[::-1], 0.2)[1] == held_out[::-1]


def test_tasks_that_say_the_same_stay_together():
    programs = [replace(program, prompt="Same.\n") for program in toy_programs(20)]
    assert [] in split_by_task(programs, 0.5)


def test_neutral_lines_have_the_target_zero_or_are_left_out():
    program = LabeledProgram("t", "p\n", "a = 1\n# c\nb = 2\n", False, 1)
    model = make_model()
    assert make_example(model, program, QUICK).targets == [1, 0, -1]
    assert make_example(model, program, replace(QUICK, neutral_lines=False)).targets == [1, -1]
    assert make_example(make_model(max_tokens=4, max_prompt_tokens=0), program, QUICK) is None


def test_losses_by_hand():
    z, targets = torch.tensor([0.0, 0.5]), torch.tensor([1.0, -1.0])
    assert mean_loss(z, targets, "mse").item() == pytest.approx((1 + 1.462117**2) / 2)  # tanh(.5) = .462117
    # sigmoid(0) = .5 for what is right; sigmoid(1) = .731059 for what is wrong
    assert mean_loss(z, targets, "cross_entropy").item() == pytest.approx((0.693147 + 1.313262) / 2)


def test_what_cannot_be_is_refused():
    for options in ({"holdout_fraction": 0}, {"epochs": 0}, {"batch_size": 0}):
        with pytest.raises(ValueError):
            replace(QUICK, **options)
    with pytest.raises(ValueError, match="Label programs of more tasks"):
        train_prm(make_model(), toy_programs(1), QUICK)


def test_evaluation_with_labels_of_another_kind():
    model = make_model()
    train_prm(model, toy_programs(), QUICK)
    assert evaluate_prm(model, toy_programs(50), "soft").balanced_accuracy > 0.9

"""Critics: calibrated to returns, distilled from line scores."""

from __future__ import annotations

import pytest
import torch
from helpers.make_steps import make_last
from torch import nn

from agents import psgpo
from agents.common.rollout import Rollout
from agents.common.run import Run
from agents.critics.critic import Critic, distill, init_critic, make_critic, scored_programs, scores_before
from agents.policies.causal import TinyConfig, make_tiny
from codegym import Task
from codegym.scorers import FakeLineScorer
from codegym.scorers.prm import ProcessRewardModel
from codegym.tasks.record import CallCheck

WORDS = ["# go\n", "x = 1\n", "y = 2\n", "# note\n", "z = 3"]
TASK = Task("go", "# go\n", (CallCheck((1,), 1),), entry_point="f", solution="x = 1\n")
SMALL = TinyConfig(num_layers=1, width=32, num_heads=2, mlp_width=64, max_positions=16)


class Table:
    """A line scorer that looks lines up."""

    def score(self, requests):
        table = {"x = 1\n": 0.5, "y = 2\n": -0.25}
        return [[table.get(request.lines[index], -1.0) for index in request.indices] for request in requests]


def rollout_of(mask):
    """A rollout of which only the mask is looked at."""
    nothing = torch.zeros(mask.shape)
    return Rollout(nothing.long(), mask, nothing, nothing, *[nothing[:, 0]] * 4, terms={})


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return make_tiny(WORDS, SMALL).save(tmp_path_factory.mktemp("start"))


def make_config(start, out, **changes):
    common = {"sandbox": "fake", "batch_size": 16, "max_tokens": 6, "max_prompt_tokens": 4, "num_iterations": 1}
    return psgpo.PSGPOConfig(policy=start, out=out, **({"shaping": "", "value_init": "none"} | common | changes))


def test_calibration_meets_the_returns_as_well_as_a_line_can() -> None:
    critic = Critic(nn.Identity())
    body, mask = torch.tensor([[0.0, 1.0, 2.0, 9.0]]), torch.tensor([[True, True, True, False]])
    critic.calibrate(body, torch.tensor([[1.0, 3.0, 5.0, 0.0]]), mask)  # returns = 2 * body + 1 where the mask is
    assert (critic.scale.item(), critic.shift.item()) == pytest.approx((2, 1))


def test_values_that_are_all_alike_are_only_shifted() -> None:
    critic = Critic(nn.Identity())
    critic.calibrate(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]), torch.tensor([[True, True]]))
    assert (critic.scale.item(), critic.shift.item()) == (1, 0.5)


@pytest.mark.parametrize("returns", [[0.25, 0.25], [1.0, 0.0]], ids=["all alike", "falling"])
def test_a_critic_waits_while_there_is_nothing_to_calibrate_by(returns) -> None:
    critic, tokens, mask = Critic(nn.Identity()), torch.tensor([[0.0, 1.0, 9.0]]), torch.tensor([[False, True, True]])
    assert critic.raw_values(tokens).tolist() == [[0, 0, 1]]
    critic.calibrate(critic.raw_values(tokens), torch.tensor([[0.0, *returns]]), mask)
    mean = sum(returns) / 2
    assert critic.is_uncalibrated and critic(tokens).tolist() == [[0, mean, mean]]
    critic.calibrate(critic.raw_values(tokens), torch.tensor([[0.0, 0.0, 2.0]]), mask)
    assert not critic.is_uncalibrated and critic(tokens).tolist() == [[0, 0, 2]]  # the body was not forgotten


def test_a_token_has_the_score_of_the_last_line_before_it_or_else_of_the_first() -> None:
    # two tokens a line and a token at the end, behind a prompt of one token in row 0 and of two in row 1
    programs = [make_last(("x = 1\n", None), ("# note\n", None), ("y = 2\n", None)), make_last(("# note\n", None))]
    mask = torch.tensor([[False] + [True] * 7 + [False], [False] * 2 + [True] * 3 + [False] * 4])
    scores, known = scores_before(rollout_of(mask), programs, Table())
    # the note says nothing; the score of a line stands behind its last token; the last one only before the end
    assert scores[0].tolist() == [0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, -0.25, 0]
    assert known[0].tolist() == mask[0].tolist()
    assert not known[1].any()  # nothing but a note


def test_a_distilled_critic_says_what_the_scorer_says(start, tmp_path) -> None:
    with Run(make_config(start, tmp_path), tasks=TASK) as run:
        run.register()
        tokens, scores, known = scored_programs(run, Table(), 2)
        assert tokens.shape == scores.shape == known.shape
        assert len(tokens) == 2 * 16
        critic = make_critic(run.model)
        error = ((critic(tokens) - scores)[known] ** 2).mean()
        options = {
            "generator": torch.Generator().manual_seed(0),
            "epochs": 60,
            "minibatch_size": 8,
            "learning_rate": 3e-3,
        }
        distill(critic, tokens, scores, known, **options)
        # not all of it: before the first line has ended nobody knows its score
        assert ((critic(tokens) - scores)[known] ** 2).mean() < 0.3 * error


def test_programs_to_distil_from_are_not_run(start, tmp_path) -> None:
    class Nobody:
        def submit(self, task, completion):
            raise AssertionError("asked to judge")

    with Run(make_config(start, tmp_path, sandbox=Nobody()), tasks=TASK) as run:
        run.register()
        tokens, _, known = scored_programs(run, Table(), 1)
    assert known.any()
    assert len(tokens) == 16


def test_scorer_and_policy_may_have_different_tokenizers(start, tmp_path) -> None:
    model = ProcessRewardModel.from_scratch("bytes", width=32, num_layers=1, max_tokens=64)
    config = make_config(start, tmp_path / "distilled", value_init="distilled")
    assert "losses/value" in psgpo.train(config, line_scorer=model, tasks=TASK).metrics()[0]
    with pytest.raises(ValueError, match="expected the model's"):
        psgpo.train(make_config(start, tmp_path / "weights", value_init="weights"), line_scorer=model, tasks=TASK)


def test_a_critic_can_start_from_the_weights_of_a_model(start, tmp_path) -> None:
    model = ProcessRewardModel.from_policy(start)
    with Run(make_config(start, tmp_path, value_init="weights"), line_scorer=model, tasks=TASK) as run:
        critic = init_critic(run, "weights")
        copied = dict(critic.body.trunk.named_parameters())
        assert all(torch.equal(weight, copied[name]) for name, weight in model.trunk.named_parameters())


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"value_init": "weights"}, {}, "needs a process reward model: got no line scorer; expected line_scorer="),
        (
            {"value_init": "weights"},
            {"line_scorer": FakeLineScorer()},
            "got a FakeLineScorer; expected a ProcessRewardModel",
        ),
        ({"value_init": "prm"}, {}, 'got \'prm\'; expected "none", "weights" or "distilled"'),
    ],
)
def test_contradictory_starts_of_the_critic_are_refused(changes, options, message, start, tmp_path) -> None:
    with pytest.raises(ValueError, match=message):
        psgpo.train(make_config(start, tmp_path, **changes), tasks=TASK, **options)

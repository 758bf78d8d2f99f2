"""True values of states, and what a critic explains of them."""

from __future__ import annotations

from concurrent.futures import Future

import pytest
import torch
from helpers.make_steps import make_last

from agents import psgpo
from agents.common.rollout import Rollout
from agents.common.run import Run
from agents.critics.monte_carlo import State, _batches, find_states, mc_explained_variance, sampled_returns
from agents.policies.causal import TinyConfig, make_tiny
from codegym import SandboxError, Status, Verdict
from examples.toy import SETTINGS, TASK

SMALL = TinyConfig(num_layers=1, width=32, num_heads=2, mlp_width=64, max_positions=16)


class Even:
    """A judge that lets pass what has an even number of characters and cannot judge what has more than a few."""

    def __init__(self, most: int = 99) -> None:
        self.most = most

    def submit(self, task, completion):
        future: Future[Verdict] = Future()
        if len(completion) > self.most:
            future.set_exception(SandboxError("too long for this machine"))
        else:
            status = Status.WRONG_ANSWER if len(completion) % 2 else Status.PASSED
            future.set_result(Verdict(status, (status,)))
        return future


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return make_tiny(SETTINGS["tokenizer"], SMALL).save(tmp_path_factory.mktemp("start"))


def make_config(start, out, **changes):
    common = {"sandbox": "fake", "batch_size": 16, "max_tokens": 4, "max_prompt_tokens": 4, "num_iterations": 3}
    return psgpo.PSGPOConfig(policy=start, out=out, **({"shaping": "", "value_init": "none"} | common | changes))


def test_explained_variance_worked_out_by_hand() -> None:
    returns = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    # truth .5, .25, 1 with p (1 - p) / 3 = 1/12, 1/16, 0, mean 7/144; Var(truth) = 7/48; their difference is 14/144.
    # A critic that says .5, .25, 1 has an error of 0, less than the noise allows: 1 + (7/144) / (14/144).
    assert mc_explained_variance(torch.tensor([0.5, 0.25, 1.0]), returns) == pytest.approx(1.5)
    assert mc_explained_variance(torch.full((3,), 0.7), returns) == pytest.approx(0)  # a constant explains nothing
    # one that is right up to +-1/4: errors 0, -1/4, 1/4 with variance 1/16 = 9/144; 1 - (9 - 7) / 14
    assert mc_explained_variance(torch.tensor([0.5, 0.5, 0.75]), returns) == pytest.approx(1 - 2 / 14)


def test_without_noise_it_is_the_usual_explained_variance() -> None:
    returns = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    # errors -1/4 and 1/4 have a quarter of the variance of 0 and 1
    assert mc_explained_variance(torch.tensor([0.25, 0.75]), returns) == pytest.approx(0.75)


def test_what_could_not_be_judged_is_left_out() -> None:
    nan = float("nan")
    returns = torch.tensor([[0.0, 0.0, nan], [1.0, nan, 1.0], [1.0, nan, nan]])
    assert mc_explained_variance(torch.tensor([0.25, 0.75, 9.0]), returns) == pytest.approx(0.75)


def test_where_nothing_passes_there_is_nothing_to_explain() -> None:
    assert mc_explained_variance(torch.zeros(3), torch.zeros(3, 4)) != mc_explained_variance(
        torch.zeros(3), torch.zeros(3, 4)
    )


def test_the_correction_takes_the_noise_of_the_truth_out() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(4000, 1, generator=generator, dtype=torch.float64)
    returns = (torch.rand(4000, 4, generator=generator, dtype=torch.float64) < truth).double()
    assert mc_explained_variance(truth[:, 0], returns) == pytest.approx(1, abs=0.03)
    noisy = truth[:, 0] + 0.25 * torch.randn(4000, generator=generator, dtype=torch.float64)
    assert mc_explained_variance(noisy, returns) == pytest.approx(1 - 0.25**2 * 12, abs=0.06)  # Var of a uniform: 1/12


def test_states_are_prompts_and_line_ends_before_the_end() -> None:
    # two tokens a line, an end-of-sequence token, a prompt of one token; in row 1 the budget ends the last line
    programs = [
        make_last(("x = 1\n", None), ("y = 2\n", None)),
        make_last(("x = 1\n", None), ("y = 2", None), budget_exhausted=True),
    ]
    mask = torch.tensor([[False] + [True] * 5, [False] + [True] * 4 + [False]])
    nothing = torch.zeros(mask.shape)
    rollout = Rollout(nothing.long(), mask, nothing, nothing, *[nothing[:, 0]] * 4, terms={})
    assert find_states(rollout, programs) == [
        State(0, 1, 0),
        State(0, 3, 2),
        State(0, 5, 4),
        State(1, 1, 0),
        State(1, 3, 2),
    ]


def test_completions_begin_with_what_was_written_and_keep_to_the_budget(start, tmp_path) -> None:
    class Watched(Even):
        seen: list[str] = []

        def submit(self, task, completion):
            self.seen.append(completion)
            return super().submit(task, completion)

    with Run(make_config(start, tmp_path, sandbox=Watched()), tasks=TASK) as run:
        run.register()
        rollout = run.collect(0)
        programs = run.last_steps(rollout)
        longest = int(rollout.mask.sum(1).argmax())
        states = [State(longest, 1 + written, written) for written in (0, 1, 3)]
        Watched.seen.clear()
        returns = sampled_returns(run, rollout, programs, states, 5, torch.Generator().manual_seed(0))
    assert returns.shape == (3, 5)
    begins = [run.policy.text(rollout.tokens[longest, 1 : 1 + state.written].tolist()) for state in states]
    for begin, row in zip(begins, torch.tensor(range(15)).reshape(3, 5).tolist(), strict=True):
        for place in row:
            assert Watched.seen[place].startswith(begin)
    # three tokens are written, so that at most one follows: the outcome says whether their number is even
    expected = [[float(len(Watched.seen[place]) % 2 == 0) for place in range(at, at + 5)] for at in (0, 5, 10)]
    assert returns.tolist() == expected


def test_returns_of_a_dense_reward_count_from_the_state_on(start, tmp_path) -> None:
    config = make_config(start, tmp_path, sandbox=Even(), reward="length_penalty", batch_size=8)
    with Run(config, tasks=TASK) as run:
        run.register()
        rollout = run.collect(0)
        row = int(rollout.mask.sum(1).argmax())  # four tokens, each of which costs 1/4 in "length_penalty"
        states = [State(row, 4, 3), State(row, 1, 0)]
        returns = sampled_returns(run, rollout, run.last_steps(rollout), states, 4, torch.Generator().manual_seed(0))
    assert returns[0].tolist() == [-0.25] * 4  # one token is left
    assert ((returns[1] >= -1) & (returns[1] <= -0.25)).all()


def test_what_the_machine_cannot_judge_is_not_a_number(start, tmp_path) -> None:
    with Run(make_config(start, tmp_path, sandbox=Even(most=3)), tasks=TASK) as run:
        run.register()
        rollout = run.collect(0)
        states = find_states(rollout, run.last_steps(rollout))[:4]
        returns = sampled_returns(run, rollout, run.last_steps(rollout), states, 8, torch.Generator().manual_seed(0))
    assert 0 < int(returns.isnan().sum()) < returns.numel()


def test_batches_fit_into_the_positions_of_the_model() -> None:
    lengths, budgets = [2, 9, 5, 6, 2], [8, 1, 5, 4, 8]
    assert list(_batches(lengths, budgets, 9, None)) == [[0, 4, 2, 3, 1]]
    assert list(_batches(lengths, budgets, 2, None)) == [[0, 4], [2, 3], [1]]
    # 2 + 8 fits, 5 + 8 does not; 6 + 5 does; 9 + 5 does not
    assert list(_batches(lengths, budgets, 9, 11)) == [[0, 4], [2, 3], [1]]


def test_the_critic_is_measured_at_its_start_and_before_the_first_update_of_the_policy(start, tmp_path) -> None:
    config = make_config(start, tmp_path / "measured", sandbox=Even(), critic_warmup=1, mc_completions=8, mc_states=16)
    run = psgpo.train(config, tasks=TASK)
    assert ["losses/mc_explained_variance" in row for row in run.metrics()] == [True, True, False]
    config = make_config(start, tmp_path / "not", sandbox=Even(), critic_warmup=1)
    other = psgpo.train(config, tasks=TASK)  # to measure changes nothing of the run
    for one, two in zip(run.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(one, two)


def test_one_completion_says_nothing_of_its_noise(start, tmp_path) -> None:
    with pytest.raises(ValueError, match="got mc_completions=1 and mc_states=64; expected 0 completions or at least 2"):
        make_config(start, tmp_path, mc_completions=1)


def test_a_critic_that_is_calibrated_again_is_no_worse_than_a_constant(start, tmp_path, learning) -> None:
    rows = {}
    for again in (False, True):
        options = {"critic_warmup": 2, "critic_epochs": 30, "critic_learning_rate": 1e-2, "recalibrate": again}
        config = make_config(start, tmp_path / str(again), sandbox=Even(), **options)
        rows[again] = learning(psgpo.train(config, tasks=TASK))
    assert rows[True][:2] == rows[False][:2]
    # fitted to the very returns that it is compared with
    assert rows[True][2]["losses/explained_variance"] >= max(-1e-6, rows[False][2]["losses/explained_variance"])

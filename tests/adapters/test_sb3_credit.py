"""Credit goes onto the actions that earned it, before the update; what could not be judged is not learned from."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sb3_contrib")
from helpers.env_judges import FailingAtTimes
from helpers.env_play import TASK, VECTOR, small
from sb3_contrib import MaskablePPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from codegym.adapters.sb3 import CreditCallback, SB3VecEnv
from codegym.envs.env import TokenEnv
from codegym.errors import SandboxError
from codegym.tokenizers import VocabularyTokenizer

ROWS, SLOTS = 32, 2
TINY = VocabularyTokenizer(["x", "#", "\n", "Print twice the number.\n"])
"""Random programs in these tokens have several lines, and some of them the mark of ``FailingAtTimes``."""


class Watch(BaseCallback):
    """Keeps what was streamed and what stands in the buffer after the callback before it."""

    def __init__(self):
        super().__init__()
        self.rollouts = []

    def _on_rollout_start(self):
        self.streamed, self.dones, self.infos = [], [], []

    def _on_step(self):
        for kept, name in ((self.streamed, "rewards"), (self.dones, "dones"), (self.infos, "infos")):
            kept.append(self.locals[name].copy())
        return True

    def _on_rollout_end(self):
        buffer = self.model.rollout_buffer
        names = ("rewards", "values", "returns", "advantages")
        arrays = {name: getattr(buffer, name).copy() for name in names} | {
            "tokens": buffer.observations["tokens"].copy()
        }
        last = self.model.policy.obs_to_tensor(self.model._last_obs)[0]
        arrays["last"] = self.model.policy.predict_values(last).detach().numpy()[:, 0]
        self.rollouts.append((arrays, np.array(self.streamed), np.array(self.dones), self.infos))


def collected(algorithm=PPO, rollouts=3, first=True, act="Token", callback=None, **keywords):
    """Rollouts of a policy that learns nothing, so that its values stay what they are."""
    settings = {"tasks": TASK, "tokenizer": TINY, "max_tokens": 7, "reward": "outcome + 0.3*process - length_penalty"}
    envs = SB3VecEnv(VECTOR[act](SLOTS, **(small(act) | settings | {"line_scorer": "fake"} | keywords)))
    watch = Watch()
    model = algorithm("MultiInputPolicy", envs, n_steps=ROWS, gamma=0.9, gae_lambda=0.8, learning_rate=0.0, seed=1)
    model.learn(ROWS * SLOTS * rollouts, callback=CallbackList([callback or CreditCallback(), watch]))
    return watch.rollouts


def episodes(dones):
    """(rows, slot, whether it ended) of every episode as far as it stands in a rollout."""
    for slot in range(SLOTS):
        ends = (np.flatnonzero(dones[:, slot]) + 1).tolist()
        for begin, end in zip([0, *ends], [*ends, ROWS], strict=True):
            if begin < end:
                yield slice(begin, end), slot, end in ends


@pytest.mark.parametrize("algorithm", [PPO, A2C, MaskablePPO])
def test_credit_stands_in_the_buffer_in_place_of_the_stream(algorithm):
    moved = 0
    for arrays, streamed, dones, infos in collected(algorithm):
        for rows, slot, ended in episodes(dones):
            inside = arrays["rewards"][rows, slot]
            if not ended:
                np.testing.assert_array_equal(inside, streamed[rows, slot].astype(np.float32))
                continue
            info = infos[rows.stop - 1][slot]
            num_rows = rows.stop - rows.start
            np.testing.assert_allclose(inside, info["credit"][: info["num_tokens"]][-num_rows:], rtol=1e-6)
            if info["num_tokens"] == num_rows:  # all of it is in this rollout
                assert inside.sum() == pytest.approx(streamed[rows, slot].sum(), abs=1e-5)
                moved += not np.allclose(inside, streamed[rows, slot])
    assert moved > 5


def test_an_action_of_many_tokens_gets_the_sum_of_theirs():
    (arrays, _, dones, infos), *_ = collected(act="Line")
    for rows, slot, ended in episodes(dones):
        if ended:
            assert arrays["rewards"][rows, slot].sum() == pytest.approx(
                infos[rows.stop - 1][slot]["credit"].sum(), abs=1e-5
            )


def test_advantages_and_returns_are_those_of_the_credit():
    for arrays, _, dones, _ in collected():
        values = np.concatenate([arrays["values"], arrays["last"][None]])
        deltas = arrays["rewards"] + 0.9 * values[1:] * ~dones - values[:-1]
        for slot in range(SLOTS):
            for row in range(ROWS):
                ends = np.flatnonzero(dones[row:, slot])
                stop = row + int(ends[0]) + 1 if len(ends) else ROWS
                expected = sum((0.9 * 0.8) ** (other - row) * deltas[other, slot] for other in range(row, stop))
                assert arrays["advantages"][row, slot] == pytest.approx(expected, abs=1e-4)
        np.testing.assert_allclose(arrays["returns"], arrays["advantages"] + arrays["values"], atol=1e-6)


@pytest.mark.parametrize("algorithm", [PPO, MaskablePPO])
def test_rows_of_unjudged_episodes_become_copies_of_others(algorithm):
    dropped = 0
    for arrays, _, dones, infos in collected(algorithm, sandbox=FailingAtTimes("#")):
        unjudged = np.zeros((ROWS, SLOTS), bool)
        for rows, slot, ended in episodes(dones):
            unjudged[rows, slot] = ended and not infos[rows.stop - 1][slot]["reward_valid"]
        kept = {_row(arrays, place) for place in np.argwhere(~unjudged)}
        assert {_row(arrays, place) for place in np.argwhere(unjudged)} <= kept
        dropped += unjudged.sum()
    assert dropped > 10


def _row(arrays, place):
    row, slot = place
    return tuple(arrays[name][row, slot].tobytes() for name in ("tokens", "rewards", "values", "returns", "advantages"))


def test_copies_are_the_same_for_the_same_seed_only():
    one, same, other = (
        collected(rollouts=1, callback=CreditCallback(seed), sandbox=FailingAtTimes("#"))[0][0] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one["tokens"], same["tokens"])
    assert not np.array_equal(one["tokens"], other["tokens"])


def test_a_rollout_without_a_judged_step_is_a_broken_machine():
    with pytest.raises(SandboxError, match="got 64 steps of programs that could not be judged"):
        collected(max_tokens=1, sandbox=FailingAtTimes(""))


def test_an_ended_program_is_not_bootstrapped_and_a_cut_one_is():
    class Nothing(BaseCallback):
        def _on_step(self):
            return True

    ((arrays, streamed, dones, infos),) = collected(rollouts=1, callback=Nothing(), sandbox=FailingAtTimes("#"))
    cut = np.array([[info.get("TimeLimit.truncated", False) for info in row] for row in infos])
    assert cut.any() and (dones & ~cut).any()
    np.testing.assert_array_equal(arrays["rewards"][~cut], streamed[~cut].astype(np.float32))
    assert (arrays["rewards"][cut] != streamed[cut].astype(np.float32)).all()


def test_settings_that_contradict_credit_are_refused():
    envs = SB3VecEnv(VECTOR["Token"](2, **small("Token")))
    single = DummyVecEnv([lambda: TokenEnv(**small("Token"))])
    for model, error, words in (
        (DQN("MultiInputPolicy", envs, buffer_size=50), TypeError, "DQN"),
        (PPO("MultiInputPolicy", single, n_steps=8, batch_size=8), ValueError, "SB3VecEnv"),
        (
            PPO("MultiInputPolicy", VecNormalize(envs, norm_obs=False), n_steps=8, batch_size=8),
            ValueError,
            "norm_reward",
        ),
    ):
        with pytest.raises(error, match=words):
            model.learn(8, callback=CreditCallback())
    normalized = VecNormalize(envs, norm_obs=False, norm_reward=False)
    PPO("MultiInputPolicy", normalized, n_steps=8, batch_size=8).learn(8, callback=CreditCallback())

"""What is observed and told, in small worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.env_judges import PASSED, JudgeSays, ScorerSays
from helpers.env_play import EOS, TASK, draw_actions, small

from codegym.envs.env import LineEnv, TokenEnv
from codegym.tasks.record import StdinCheck, Task

ABC = Task("abc", "abc\n", (StdinCheck("", ""),), solution="x\n")


def test_an_observation_is_the_prompt_the_completion_and_zeros():
    env = TokenEnv(tasks=ABC, sandbox="fake", max_tokens=4, max_prompt_tokens=6)
    observation, info = env.reset(seed=1)
    assert observation["tokens"].tolist() == [97, 98, 99, 10, 0, 0, 0, 0, 0, 0]
    assert (observation["length"].tolist(), observation["prompt_length"].tolist()) == ([4], [4])
    assert {value.dtype for value in observation.values()} == {np.dtype(np.int32)}
    assert (info["task_id"], info["prompt"], info["text"]) == ("abc", "abc\n", "")
    assert info["prompt_truncated"] is False
    observation = env.step(120)[0]
    assert observation["tokens"].tolist() == [97, 98, 99, 10, 120, 0, 0, 0, 0, 0]
    assert (observation["length"].tolist(), observation["prompt_length"].tolist()) == ([5], [4])
    observation = env.step(EOS)[0]
    assert observation["tokens"].tolist() == [97, 98, 99, 10, 120, 256, 0, 0, 0, 0]
    observation, _ = env.reset()
    assert observation["tokens"].tolist() == [97, 98, 99, 10, 0, 0, 0, 0, 0, 0]  # nothing is left


def test_of_a_long_prompt_the_end_is_kept():
    env = TokenEnv(tasks=ABC, sandbox="fake", max_tokens=2, max_prompt_tokens=3)
    observation, info = env.reset(seed=1)
    assert observation["tokens"].tolist() == [98, 99, 10, 0, 0]
    assert (observation["length"].tolist(), observation["prompt_length"].tolist()) == ([3], [3])
    assert (info["prompt"], info["prompt_truncated"]) == ("abc\n", True)
    env.step(120)
    assert env.step(121)[0]["tokens"].tolist() == [98, 99, 10, 120, 121]


def test_a_prefix_stands_in_the_completion():
    env = TokenEnv(tasks=ABC, sandbox="fake", max_tokens=4, max_prompt_tokens=6)
    observation, info = env.reset(seed=1, options={"prefix": "x\ny"})
    assert observation["tokens"].tolist() == [97, 98, 99, 10, 120, 10, 121, 0, 0, 0]
    assert (observation["length"].tolist(), observation["prompt_length"].tolist()) == ([7], [4])
    assert info["text"] == env.text == "x\ny"
    assert env.step(122)[-1]["text"] == "x\nyz"  # the budget is full


def test_infos_tell_of_lines_as_they_are_closed():
    env = TokenEnv(tasks=ABC, sandbox=JudgeSays(PASSED), reward="outcome + process", line_scorer=ScorerSays())
    env.reset(seed=1)
    assert sorted(env.step(120)[-1]) == ["action_mask"]
    info = env.step(10)[-1]
    del info["action_mask"]
    terms = {"outcome": 0.0, "process": 0.5}
    assert info == {"lines": ("x\n",), "text": "x\n", "reward_terms": terms, "line_scores": (0.5,)}
    info = env.step(10)[-1]
    assert (info["lines"], info["line_scores"]) == (("\n",), (None,))  # a blank line is neutral
    env.step(121)
    info = env.step(EOS)[-1]
    credit, mask = info.pop("credit"), info.pop("action_mask")
    assert credit.tolist() == [0, 0.5, 0, 0, 1.5] + [0] * 507  # x \n \n y EOS: "y" was closed by the end
    assert mask.all()
    assert info == {
        "lines": ("y",),
        "text": "x\n\ny",
        "reward_terms": {"outcome": 1.0, "process": 0.5},
        "line_scores": (0.5, None, 0.5),
        "task_id": "abc",
        "verdict": PASSED,
        "is_success": True,
        "reward_valid": True,
        "budget_exhausted": False,
        "num_tokens": 5,
        "failure": None,
    }


def test_only_finished_lines_of_code_are_scored_and_each_once():
    scorer = ScorerSays()
    env = LineEnv(tasks=TASK, sandbox="fake", reward="process", line_scorer=scorer)
    env.reset(seed=1)
    for text in ("x = (\n", "# c\n", "1)\n", "'''doc'''\n\ny = 2\n", "z = 3", ""):
        env.step(text)
    lines = ("x = (\n", "# c\n", "1)\n", "'''doc'''\n", "\n", "y = 2\n", "z = 3")
    found = [[(request.lines, request.indices) for request in call] for call in scorer.calls]
    assert found == [[(lines[:3], (2,))], [(lines[:6], (5,))], [(lines, (6,))]]


def test_lines_of_a_prefix_are_scored_for_what_comes_after_and_pay_nothing():
    scorer = ScorerSays(lambda requests: [[(index + 1) / 10 for index in request.indices] for request in requests])
    env = LineEnv(tasks=TASK, sandbox="fake", reward="process(mode='difference')", line_scorer=scorer)
    env.reset(seed=1, options={"prefix": "a = 1\nb = 2\n"})
    assert scorer.calls == []
    _, reward, _, _, info = env.step("c = 3\n")
    assert [request.indices for request in scorer.calls[0]] == [(0, 1, 2)]
    assert (round(reward, 9), info["lines"], info["line_scores"]) == (0.1, ("c = 3\n",), (0.3,))


def test_a_scorer_that_nothing_needs_early_is_asked_once_at_the_end():
    scorer = ScorerSays()
    env = LineEnv(tasks=TASK, sandbox="fake", reward="outcome + psgpo", line_scorer=scorer)
    env.reset(seed=1)
    for text in ("a = 1\n", "b = 2\n", "c = 3\n"):
        assert "line_scores" not in env.step(text)[-1]
    assert scorer.calls == []
    assert env.step("")[-1]["line_scores"] == (0.5, 0.5, 0.5)
    assert len(scorer.calls) == 1


def test_the_judge_gets_the_completion_and_not_the_prompt():
    judge = JudgeSays(PASSED)
    env = TokenEnv(tasks=ABC, sandbox=judge)
    env.reset(seed=1)
    for token in [*b"x = 1", EOS]:
        env.step(token)
    assert judge.programs == ["x = 1"]


@pytest.mark.parametrize("act", [TokenEnv, LineEnv])
def test_e10_what_was_handed_out_never_changes(act):
    name = act.__name__[:-3]
    env, rng, held = act(**small(name)), np.random.default_rng(0), []
    result = env.reset(seed=0)
    for _ in range(60):
        arrays = {**result[0], **{key: value for key, value in result[-1].items() if isinstance(value, np.ndarray)}}
        held += [(value, value.copy()) for value in arrays.values()]
        result = env.step(draw_actions(rng, name))
        if result[2]:
            result = env.reset()
    assert all(np.array_equal(one, other) for one, other in held)


def test_changing_what_was_handed_out_changes_nothing():
    env = TokenEnv(**small("Token"))
    observation, info = env.reset(seed=1)
    wanted = {key: value.copy() for key, value in observation.items()}
    for value in (*observation.values(), info["action_mask"]):
        value[...] = 0
    again, info = env.step(97)[0], env.step(98)[-1]
    assert again["length"][0] == wanted["length"][0] + 1
    assert again["tokens"][: wanted["length"][0]].tolist() == wanted["tokens"][: wanted["length"][0]].tolist()
    assert info["action_mask"].all()


def test_masks_leave_out_what_is_no_text():
    class Padded:
        """The byte tokenizer with a padding token."""

        vocab_size, eos_token_id = 258, 256
        token_bytes = (*(bytes([byte]) for byte in range(256)), b"", b"")

        def encode(self, text):
            return list(text.encode())

    env = TokenEnv(tasks=ABC, tokenizer=Padded(), sandbox="fake")
    _, info = env.reset(seed=1)
    assert np.flatnonzero(~info["action_mask"]).tolist() == [257]
    np.testing.assert_array_equal(env.action_masks(), info["action_mask"])
    lines = LineEnv(tasks=ABC, tokenizer=Padded(), sandbox="fake", max_line_tokens=3)
    lines.reset(seed=1)
    assert np.flatnonzero(~lines.action_masks()).tolist() == [257, 258 + 257, 2 * 258 + 257]
    assert "action_mask" not in TokenEnv(tasks=ABC, mask=None, sandbox="fake").reset(seed=1)[1]

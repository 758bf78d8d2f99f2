"""The model as a line scorer: what its scores depend on, and what is saved."""

from __future__ import annotations

import pickle

import gymnasium as gym
import pytest
import torch
from helpers.prm_worlds import make_task

from codegym.scorers import ScoreRequest
from codegym.scorers.prm.encoding import LineEncoder
from codegym.scorers.prm.model import EncodedProgram, ProcessRewardModel, pad
from codegym.testing import check_line_scorer
from codegym.tokenizers import ByteTokenizer, TransformersTokenizer, VocabularyTokenizer, load_tokenizer, save_tokenizer

LINES = ("a = 1\n", "b = a\n", "c = b")


def with_random_head(model: ProcessRewardModel) -> ProcessRewardModel:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        model.head.weight.copy_(torch.randn(model.head.weight.shape, generator=generator))
    return model.eval()


def make_model(tokenizer="bytes", **options) -> ProcessRewardModel:
    return with_random_head(ProcessRewardModel.from_scratch(tokenizer, width=32, num_layers=2, **options))


def test_smallest_use():
    [scores] = make_model().score([ScoreRequest(make_task(), LINES, (0, 2))])
    assert len(scores) == 2 and all(-1 < score < 1 for score in scores) and scores[0] != scores[1]


def test_a_model_with_random_weights_keeps_the_contract():
    check_line_scorer(make_model())


def test_so_it_does_in_small_batches_and_while_it_is_in_training_mode():
    model = make_model(batch_tokens=1)
    check_line_scorer(model)
    model.trunk.config.attention_dropout = 0.5
    model.train()
    check_line_scorer(model)
    assert model.training and model.trunk.training


def test_a_model_that_starts_from_a_policy_keeps_the_contract(policy_folder):
    model = with_random_head(ProcessRewardModel.from_policy(policy_folder))
    check_line_scorer(model)
    assert isinstance(model.tokenizer, TransformersTokenizer) and model.encoder.max_tokens == 256


def test_the_policy_of_an_environment_may_have_another_tokenizer(policy_folder):
    # "\n    " is one token of the policy, the newline another: lines are cut at bytes, and scores are the same
    # however the policy's tokens lie
    tokenizer = TransformersTokenizer(policy_folder)
    lines = ("def f(x):\n", "    return x\n")
    assert tokenizer.encode("".join(lines)) != tokenizer.encode(lines[0]) + tokenizer.encode(lines[1])
    model = with_random_head(ProcessRewardModel.from_policy(policy_folder))
    requests = [ScoreRequest(make_task(), lines[:1], (0,)), ScoreRequest(make_task(), lines, (0,))]
    [[alone], [followed]] = model.score(requests)
    assert alone == pytest.approx(followed, abs=1e-6)


def test_the_end_of_a_line_is_the_token_that_holds_its_last_byte(policy_folder):
    tokenizer = TransformersTokenizer(policy_folder)
    for lines in (("def f(x):\n", "    return x\n", "\n", "# é"), ("x\n",), ("\n", "\n")):
        ids, ends = LineEncoder(tokenizer, 100, 50).encode("Write f.\n", lines)
        for count, end in enumerate(ends, start=1):
            spelled = b"".join(tokenizer.token_bytes[id] for id in ids[: end + 1])
            assert spelled == ("Write f.\n" + "".join(lines[:count])).encode()


def test_a_line_that_does_not_fit_has_the_score_zero_and_so_have_those_after_it():
    model = make_model(max_tokens=16, max_prompt_tokens=2)
    [scores] = model.score([ScoreRequest(make_task(), ("a = 1\n", "b" * 12 + "\n", "c\n"), (0, 1, 2))])
    assert scores[0] != 0 and scores[1:] == [0, 0]
    [scores] = model.score([ScoreRequest(make_task(), ("b" * 20 + "\n",), (0,))])
    assert scores == [0]


def test_of_a_long_prompt_the_end_is_read():
    model = make_model(max_tokens=32, max_prompt_tokens=3)
    assert model.encoder.encode("abcdef", ["x\n"]).ids == [*b"defx\n"]
    assert make_model(max_tokens=32, max_prompt_tokens=0).encoder.encode("abc", ["x\n"]).ids == [*b"x\n"]


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="wrong max_prompt_tokens"):
        make_model(max_tokens=8, max_prompt_tokens=8)
    with pytest.raises(ValueError, match="expected at most the trunk's 257"):
        ProcessRewardModel(make_model().trunk, VocabularyTokenizer([f"{n} " for n in range(300)]))


def test_scores_start_at_zero():
    [scores] = ProcessRewardModel.from_scratch("bytes", width=32).score([ScoreRequest(make_task(), LINES, (0, 1))])
    assert scores == [0, 0]


@pytest.mark.parametrize("tokenizer", ["bytes", ["a", "b", "c", " = ", "1", "\n", "Write t.\n"]])
def test_a_saved_model_gives_the_same_numbers(tmp_path, tokenizer):
    model = make_model(tokenizer, max_tokens=64, max_prompt_tokens=20)
    model.card = {"labels": {"K": 20}}
    model.save(tmp_path / "prm")
    again = ProcessRewardModel.load(tmp_path / "prm")
    requests = [ScoreRequest(make_task(), LINES, (0, 1, 2))]
    assert again.score(requests) == model.score(requests)
    assert again.card == model.card and again.tokenizer == model.tokenizer
    assert again.encoder.max_prompt_tokens == 20


def test_so_does_one_that_started_from_a_policy_and_one_that_was_pickled(policy_folder, tmp_path):
    model = with_random_head(ProcessRewardModel.from_policy(policy_folder))
    model.save(tmp_path)
    requests = [ScoreRequest(make_task(), ("def f(x):\n", "    return 'é'\n"), (0, 1))]
    assert ProcessRewardModel.load(tmp_path).score(requests) == model.score(requests)
    assert pickle.loads(pickle.dumps(model)).score(requests) == model.score(requests)


def test_a_folder_of_something_else_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"without prm\.json"):
        ProcessRewardModel.load(tmp_path)


def test_a_tokenizer_of_an_unknown_kind_cannot_be_saved(tmp_path):
    class Mine(ByteTokenizer.__mro__[1]):
        pass

    with pytest.raises(TypeError, match="Mine cannot be saved"):
        save_tokenizer(Mine(), tmp_path)
    save_tokenizer(ByteTokenizer(), tmp_path)
    assert load_tokenizer(tmp_path) == ByteTokenizer()


def test_a_value_model_starts_from_the_scores_and_shares_nothing():
    model = make_model()
    critic = model.value_model(ByteTokenizer(), scale=0.5, shift=0.5)
    ids, ends = model.encoder.encode("p\n", LINES)
    values = critic(torch.tensor([ids]))  # [1, L]
    scores = model.score_lines([("p\n", LINES, (0, 1, 2))])[0]
    assert values.shape == (1, len(ids))
    assert values[0, ends].tolist() == pytest.approx([(score + 1) / 2 for score in scores], abs=1e-6)
    values.sum().backward()
    assert critic.scale.grad is not None and all(p.grad is None for p in model.parameters())
    assert not {p.data_ptr() for p in critic.parameters()} & {p.data_ptr() for p in model.parameters()}


def test_a_critic_for_another_tokenizer_is_refused():
    with pytest.raises(ValueError, match="Distill the scores"):
        make_model().value_model(VocabularyTokenizer(["a"]))


def test_a_value_model_reads_batches_that_are_padded_at_the_left():
    critic = make_model().value_model(ByteTokenizer())
    plain = critic(torch.tensor([[*b"abc"]]))
    mask = torch.tensor([[0, 0, 1, 1, 1]])
    padded = critic(torch.tensor([[0, 0, *b"abc"]]), mask, (mask.cumsum(-1) - 1).clamp(min=0))
    assert padded[0, 2:].tolist() == pytest.approx(plain[0].tolist(), abs=1e-5)


def test_padding_changes_no_output():
    model = make_model()
    rows = [EncodedProgram([*b"abc"], [0, 2]), EncodedProgram([*b"defghi"], [5])]
    together = model.outputs(rows)
    apart = torch.cat([model.outputs([row]) for row in rows])
    assert together.tolist() == pytest.approx(apart.tolist(), abs=1e-5)
    assert pad([[1], [2, 3]]).tolist() == [[1, 0], [2, 3]]


def test_an_environment_takes_the_folder_of_one(tmp_path):
    saved = make_model()
    saved.save(tmp_path)
    keywords = {"tasks": make_task(), "sandbox": "fake", "reward": "process"}
    paid = []
    for scorer in (tmp_path, str(tmp_path), saved):
        with gym.make("codegym/Line-v0", line_scorer=scorer, **keywords) as env:
            env.reset(seed=1)
            paid.append([env.step(line)[1] for line in LINES[:2]])
    assert paid[0] == paid[1] == paid[2] and paid[0][0] != 0

"""The supervised start learns, is kept once, and does not care about interruptions."""

from __future__ import annotations

import pytest
import torch

from agents import sft
from agents.common.evaluate import pass_rates
from agents.generation.generate import Sampling
from agents.policies.causal import Policy, TinyConfig, make_tiny
from agents.sft import Example, Fit, SFTConfig, completion_loss, to_example, train
from codegym.judge import FakeJudge

SMALL = TinyConfig(num_layers=1, width=32, num_heads=2, mlp_width=32, max_positions=128)
PAIRS = [("twice\n", "return x * 2\n"), ("next\n", "return x + 1\n")]
WORDS = ["twice\n", "next\n", "return", " x", " * 2", " + 1", "\n"]


def quick(**changes: object) -> SFTConfig:
    settings = {"horizon": (1, 2), "num_programs": 48, "num_epochs": 2, "batch_size": 16, "tiny": SMALL}
    return SFTConfig(**settings | changes)


def test_learns_two_tasks_by_heart():
    policy = make_tiny(WORDS, SMALL)
    config = quick(num_epochs=60, batch_size=2, learning_rate=1e-2, warmup_steps=5)
    losses = list(Fit(policy, config, [to_example(policy, *pair) for pair in PAIRS]).run())
    assert losses[-1] < 0.1 < losses[0]
    completions = policy.complete([prompt for prompt, _ in PAIRS], Sampling(max_tokens=16, greedy=True))
    assert [policy.text(completions.row(index)) for index in range(2)] == [program for _, program in PAIRS]
    assert completions.ended_by_eos.all()


def test_loss_is_of_completions_only_with_their_ends():
    policy = make_tiny(WORDS, SMALL)
    examples = [to_example(policy, *PAIRS[0]), Example([0, 1, 2, policy.tokenizer.eos_token_id], 2)]
    chosen = [(example, place) for example in examples for place in range(example.prompt_length, len(example.tokens))]
    expected = []
    for example, place in chosen:  # one at a time, without padding
        logits = policy.model(torch.tensor([example.tokens[:place]])).logits[0, -1]
        expected.append(-logits.log_softmax(-1)[example.tokens[place]])
    torch.testing.assert_close(completion_loss(policy.model, examples), torch.stack(expected).mean())


def test_settings_name_the_result_and_it_is_made_once(tmp_path, monkeypatch):
    folder = train(quick(), tmp_path)
    monkeypatch.setattr(sft, "new_policy", lambda config: pytest.fail("trained a second time"))
    assert train(quick(), tmp_path) == folder
    assert quick(seed=1).key != quick().key != quick(tiny=TinyConfig()).key
    assert Policy.load(folder).tokenizer.vocab_size == Policy.load(folder).model.config.vocab_size


def test_interrupted_run_ends_in_the_same_weights(tmp_path, monkeypatch):
    whole = Policy.load(train(quick(), tmp_path / "whole"))
    update = Fit._update

    def interrupted(self: Fit, batch: list[Example]) -> float:
        if self.step == 4:
            raise KeyboardInterrupt
        return update(self, batch)

    monkeypatch.setattr(sft, "CHECKPOINT_EVERY", 3)
    monkeypatch.setattr(Fit, "_update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(quick(), tmp_path / "parts")
    assert not [path for path in (tmp_path / "parts").iterdir() if path.is_dir()]  # complete or absent
    monkeypatch.setattr(Fit, "_update", update)
    parts = Policy.load(train(quick(), tmp_path / "parts"))
    assert [path.name for path in (tmp_path / "parts").iterdir()] == [f"supervised-{quick().key}"]
    for first, second in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        assert torch.equal(first, second)


def test_pass_rates_are_those_of_the_judge():
    config = quick()
    policy, judge = sft.new_policy(config), FakeJudge()
    sources = {horizon: sft.make_family(config, "test", horizon) for horizon in (1, 2)}
    rates = pass_rates(policy, sources, Sampling(max_tokens=20), 16, judge)
    assert [(rate.horizon, rate.num_programs) for rate in rates] == [(1, 16), (2, 16)]
    assert all(0 <= rate.interval[0] <= rate.pass_rate <= rate.interval[1] <= 1 for rate in rates)


def test_lora_without_a_policy_is_refused():
    with pytest.raises(ValueError, match="from scratch"):
        quick(lora=sft.LoraConfig())


def test_unknown_family_is_refused():
    with pytest.raises(ValueError, match="unknown family: got 'pipeline' .did you mean 'pipelines'"):
        sft.new_policy(quick(family="pipeline"))

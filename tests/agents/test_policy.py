"""A folder is a whole policy, and a policy speaks Stable-Baselines3's ``predict``."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import codegym
from agents.generation.generate import Sampling
from agents.policies.causal import LoraConfig, Policy, TinyConfig, load_policy, make_policy, make_tiny, with_lora
from codegym.tokenizers import train_tokenizer

WORDS = ["# twice x\n", "x", "1", "2", " + ", " * "]
SMALL = TinyConfig(num_layers=1, width=16, num_heads=2, mlp_width=16, max_positions=64)


# peft asks transformers by an old name
lora = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")


def weights(policy: Policy) -> list[torch.Tensor]:
    return list(policy.model.state_dict().values())


def same(first: Policy, second: Policy) -> bool:
    return all(torch.equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))


def test_tiny_policy_has_about_125_thousand_parameters():
    assert make_policy(103).num_parameters() == pytest.approx(125_000, rel=0.1)


def test_weights_depend_on_the_seed_only():
    before = torch.get_rng_state()
    assert same(make_tiny(WORDS, SMALL, seed=1), make_tiny(WORDS, SMALL, seed=1))
    assert not same(make_tiny(WORDS, SMALL, seed=1), make_tiny(WORDS, SMALL, seed=2))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("tokenizer", ["bytes", WORDS, [b"\xff", b"\n", "ä"]], ids=["bytes", "words", "odd_bytes"])
def test_folder_is_a_whole_policy(tokenizer, tmp_path):
    policy = make_tiny(tokenizer, SMALL)
    loaded = Policy.load(policy.save(tmp_path / "policy"))
    assert loaded.tokenizer == policy.tokenizer and same(loaded, policy)
    assert {"config.json", "model.safetensors"} <= {file.name for file in (tmp_path / "policy").iterdir()}


@pytest.fixture
def bpe_folder(tmp_path):
    """What somebody has who trains with ``transformers``: a model folder with its own tokenizer."""
    tokenizer = train_tokenizer(["def f(x):\n    return x * 2\n"] * 3, 270, tmp_path)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    wider = tokenizer.vocab_size + 10  # as is common: output layers are rounded up
    LlamaForCausalLM(LlamaConfig(vocab_size=wider, max_position_embeddings=64, **sizes)).save_pretrained(tmp_path)
    return tmp_path


def test_any_model_folder_with_a_fast_tokenizer_loads_and_saves(bpe_folder, tmp_path):
    policy = Policy.load(bpe_folder)
    again = Policy.load(policy.save(tmp_path / "again"))
    assert again.tokenizer == policy.tokenizer and same(again, policy)


def test_outputs_beyond_the_vocabulary_are_never_chosen(bpe_folder):
    policy = Policy.load(bpe_folder)
    completions = policy.complete(["x"] * 64, Sampling(max_tokens=20), torch.Generator().manual_seed(0))
    assert int(completions.tokens.max()) < policy.tokenizer.vocab_size


def test_predict_plays_an_episode():
    settings = {"tokenizer": WORDS, "tasks": _task(), "sandbox": "fake", "max_tokens": 5, "max_prompt_tokens": 1}
    policy, env = make_tiny(WORDS, SMALL), gym.make("codegym/Token-v0", **settings)
    observation, _ = env.reset(seed=0)
    state, terminated = None, False
    while not terminated:
        action, state = policy.predict(observation, state)
        assert env.action_space.contains(action)
        observation, _, terminated, _, _ = env.step(action)
    env.close()


def _task():
    return codegym.Task("twice", WORDS[0], (codegym.CallCheck((1,), 2),), "def f(x): return ", "f")


def test_predict_takes_a_batch_and_reads_no_padding():
    policy = make_tiny(WORDS, SMALL)
    rows = {"tokens": np.array([[0, 1, 4, 0, 0], [0, 3, 3, 5, 1]], np.int32), "length": np.array([[3], [5]])}
    actions, _ = policy.predict(rows, deterministic=True)
    assert actions.shape == (2,) and actions.dtype == np.int64
    with torch.no_grad():
        expected = policy.model(torch.tensor([[0, 1, 4]])).logits[0, -1].argmax()
    assert actions[0] == expected
    one = {"tokens": rows["tokens"][0], "length": rows["length"][0]}
    assert policy.predict(one, deterministic=True)[0] == expected


def test_predict_samples_from_its_own_generator():
    observation = {"tokens": np.zeros((64, 4), np.int32), "length": np.full((64, 1), 2)}
    first, second = (make_tiny(WORDS, SMALL).predict(observation)[0] for _ in range(2))
    assert np.array_equal(first, second) and len(set(first.tolist())) > 1


def test_text_of_half_a_character_is_replaced():
    policy = make_tiny("bytes", SMALL)
    assert policy.text([0xC3, 0xA4, 0xC3, 256]) == "ä\ufffd"


def test_a_tokenizer_without_a_file_format_is_refused(tmp_path):
    class Foreign:
        vocab_size, eos_token_id, token_bytes = 2, 1, (b"a", b"")

        def encode(self, text: str) -> list[int]:
            return [0] * len(text)

    with pytest.raises(TypeError, match="Foreign"):
        Policy(make_policy(2, SMALL), Foreign()).save(tmp_path)


@lora
def test_lora_trains_few_weights_and_is_saved_as_an_adapter(tmp_path):
    pytest.importorskip("peft")
    base = make_tiny(WORDS, SMALL)
    base.save(tmp_path / "base")
    policy = Policy.load(tmp_path / "base", LoraConfig(rank=2))
    trained = [weight for weight in policy.model.parameters() if weight.requires_grad]
    assert 0 < sum(map(torch.Tensor.numel, trained)) < base.model.num_parameters() / 2
    for weight in trained:
        torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(0))
    loaded = Policy.load(policy.save(tmp_path / "adapter"))
    assert loaded.tokenizer == policy.tokenizer
    one, two = (p.complete(["1 + "], Sampling(max_tokens=8, greedy=True)) for p in (policy, loaded))
    assert torch.equal(one.tokens, two.tokens)
    torch.testing.assert_close(one.log_probs, two.log_probs)
    with torch.no_grad():  # and the adapter is used in generation
        expected = policy.model(torch.tensor([policy.tokenizer.encode("1 + ")])).logits[0, -1].log_softmax(-1).max()
    torch.testing.assert_close(one.log_probs[0, 0], expected, rtol=0, atol=1e-5)


@lora
def test_lora_on_top_of_an_adapter_is_refused(tmp_path):
    pytest.importorskip("peft")
    make_tiny(WORDS, SMALL).save(tmp_path / "base")
    Policy.load(tmp_path / "base", LoraConfig(rank=2)).save(tmp_path / "adapter")
    with pytest.raises(ValueError, match="already"):
        load_policy(tmp_path / "adapter", LoraConfig())


@lora
def test_lora_can_be_put_on_a_model_at_hand():
    pytest.importorskip("peft")
    model = with_lora(make_policy(9, SMALL), LoraConfig(rank=1, target_modules=("q_proj",)))
    assert all("lora" in name for name, weight in model.named_parameters() if weight.requires_grad)

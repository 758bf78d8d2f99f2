"""Generation is exact: what it says it sampled from is what a full forward pass gives."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from agents.generation import decoding
from agents.generation.generate import Completions, Sampling, generate, sample

V, EOS = 40, 0
EQUAL = [[1, 2, 3]] * 8
RAGGED = [[1 + i] * (1 + i % 5) for i in range(12)]


def gpt2() -> PreTrainedModel:
    return GPT2LMHeadModel(GPT2Config(vocab_size=V, n_embd=32, n_layer=2, n_head=2, n_positions=96))


def gpt_neox() -> PreTrainedModel:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    return GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=V, max_position_embeddings=96, **sizes))


def llama(kv_heads: int = 1, **changes: object) -> PreTrainedModel:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    settings = {"vocab_size": V, "max_position_embeddings": 96, "num_key_value_heads": kv_heads, **sizes, **changes}
    return LlamaForCausalLM(LlamaConfig(**settings))


def llama_as_any_other() -> PreTrainedModel:
    return llama(attention_bias=True)


MODELS = {"gpt2": gpt2, "gpt_neox": gpt_neox, "llama": llama, "llama_with_biases": llama_as_any_other}
MODELS |= {"llama_grouped": lambda: llama(2), "llama_tied": lambda: llama(4, tie_word_embeddings=True)}


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    return spread(request.param())


def spread(model: PreTrainedModel) -> PreTrainedModel:
    """Random weights large enough that tokens are far from equally likely; pad = eos, as in many models."""
    generator = torch.Generator().manual_seed(0)
    for weight in model.parameters():
        if weight.dim() > 1:
            weight.data.normal_(0, 0.15, generator=generator)
    model.config.pad_token_id = model.config.eos_token_id = EOS
    return model.eval()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def run(model: PreTrainedModel, prompts: list[list[int]], **options: object) -> Completions:
    sampling = Sampling(**{"max_tokens": 70} | options)  # more than one block of cache
    return generate(model, prompts, EOS, sampling, generator=seeded())


def forward(model: PreTrainedModel, prompt: list[int], completion: list[int], temperature: float = 1.0) -> torch.Tensor:
    """Log-probabilities of a completion by one pass over all of it, alone, without cache or padding: [T]."""
    with torch.no_grad():
        logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1] / temperature
    return logits.log_softmax(-1).gather(1, torch.tensor(completion)[:, None])[:, 0]


@pytest.mark.parametrize("prompts", [EQUAL, RAGGED], ids=["equal", "padded"])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_log_probs_are_those_of_a_full_forward_pass(model, prompts, temperature):
    completions = run(model, prompts, temperature=temperature)
    assert 0 < completions.ended_by_eos.sum() < len(prompts) or completions.lengths.min() < 70  # rows leave midway
    for index, prompt in enumerate(prompts):
        length = int(completions.lengths[index])
        expected = forward(model, prompt, completions.row(index), temperature)
        torch.testing.assert_close(completions.log_probs[index, :length], expected, rtol=0, atol=1e-5)


def test_padding_changes_nothing(model):
    together = run(model, RAGGED, greedy=True, max_tokens=24)
    for index, prompt in enumerate(RAGGED):
        assert run(model, [prompt], greedy=True, max_tokens=24).row(0) == together.row(index)


def test_record_is_consistent(model):
    completions = run(model, RAGGED)
    assert completions.tokens.shape == completions.mask.shape == completions.log_probs.shape
    assert torch.equal(completions.mask.sum(1), completions.lengths)
    assert not completions.tokens[~completions.mask].any() and not completions.log_probs[~completions.mask].any()
    for index in range(len(RAGGED)):
        row = completions.row(index)
        assert (row[-1] == EOS) == bool(completions.ended_by_eos[index]) and EOS not in row[:-1]
        assert len(row) == 70 or row[-1] == EOS
    (completions.log_probs * torch.ones((), requires_grad=True)).sum().backward()  # no inference tensors


def test_finished_rows_are_told_at_once_and_leave_the_batch():
    model, sizes, told = spread(llama()), [], []
    generate(
        model,
        RAGGED,
        EOS,
        Sampling(max_tokens=60),
        generator=seeded(),
        allowed=lambda rows, written: (sizes.append(len(rows)), torch.ones(len(rows), V, dtype=torch.bool))[1],
        on_finished=lambda index, tokens: told.append((len(sizes), index, tokens)),
    )
    assert sorted(index for _, index, _ in told) == [*range(len(RAGGED))]
    assert all(step == len(tokens) for step, _, tokens in told)
    assert sizes == [sum(step > before for step, _, _ in told) for before in range(len(sizes))]


def test_random_numbers_of_a_row_do_not_depend_on_other_rows():
    model = spread(llama())
    alone = generate(model, [[5, 6]], EOS, Sampling(max_tokens=30), generator=seeded())
    among = generate(model, [[5, 6], [7], [8, 9, 3]], EOS, Sampling(max_tokens=30), generator=seeded())
    assert alone.row(0) == among.row(0)


def test_same_generator_same_tokens_and_global_state_is_left_alone():
    model, before = spread(llama()), torch.get_rng_state()
    assert torch.equal(run(model, RAGGED).tokens, run(model, RAGGED).tokens)
    assert torch.equal(before, torch.get_rng_state())


def test_dropout_is_off_and_the_mode_is_as_before():
    model = spread(gpt2()).train()
    assert torch.equal(run(model, EQUAL).tokens, run(model.eval(), EQUAL).tokens)
    assert run(model.train(), EQUAL) and model.training


@pytest.mark.parametrize("callable_mask", [False, True])
def test_forbidden_tokens_have_no_probability(callable_mask):
    model, allowed = spread(llama()), torch.zeros(V, dtype=torch.bool)
    allowed[[EOS, 5, 6, 7]] = True
    mask = (lambda rows, written: allowed.expand(len(rows), V)) if callable_mask else allowed
    completions = generate(model, EQUAL, EOS, Sampling(max_tokens=20), generator=seeded(), allowed=mask)
    assert set(completions.tokens.flatten().tolist()) <= {EOS, 5, 6, 7}
    with torch.no_grad():
        logits = model(torch.tensor(EQUAL[:1])).logits[0, -1].masked_fill(~allowed, -torch.inf)
    first = completions.tokens[:, 0]
    torch.testing.assert_close(completions.log_probs[:, 0], logits.log_softmax(-1)[first], rtol=0, atol=1e-5)


def test_tokens_come_as_often_as_their_probability_says():
    log_probs = torch.tensor([0.5, 0.0, 0.3, 0.2, 0.0]).log()
    randoms = torch.arange(10_000, dtype=torch.float64) / 10_000  # every number of [0, 1) equally often
    counts = sample(log_probs.expand(10_000, 5), randoms).bincount(minlength=5)
    torch.testing.assert_close(counts / 10_000, log_probs.exp(), rtol=0, atol=2e-4)
    assert counts[1] == counts[4] == 0


def test_last_number_below_one_draws_no_token_of_probability_zero():
    log_probs = torch.tensor([[0.1] * 9 + [0.1, 0.0]]).log()
    assert sample(log_probs, torch.tensor([1 - 2**-53], dtype=torch.float64)).tolist() == [9]


def test_llama_form_and_general_form_agree(monkeypatch):
    model = spread(llama(2))
    fast = run(model, RAGGED)
    monkeypatch.setattr(decoding, "has_plain_form", lambda model: False)
    general = run(model, RAGGED)
    assert torch.equal(fast.tokens, general.tokens)
    torch.testing.assert_close(fast.log_probs, general.log_probs, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("prompts", "options", "message"),
    [
        ([[1], []], {}, "at least one token"),
        ([], {}, "one prompt"),
        ([[1] * 90], {}, "expected at most 96"),
        ([[1]], {"max_tokens": 0}, "max_tokens"),
        ([[1]], {"temperature": 0.0}, "greedy"),
    ],
)
def test_refuses_what_it_cannot_do(prompts, options, message):
    with pytest.raises(ValueError, match=message):
        run(spread(llama()), prompts, **options)


def test_sampling_without_a_generator_is_refused():
    with pytest.raises(ValueError, match="generator"):
        generate(spread(llama()), [[1]], EOS)

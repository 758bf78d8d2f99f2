"""The sampler for models of ``transformers``: exact, reproducible, and byte for byte after the prefix."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from transformers import LlamaForCausalLM

from codegym.sampling import PrefixRequest, TransformersSampler
from codegym.scorers.prm import ProcessRewardModel
from codegym.tasks.record import StdinCheck, Task
from codegym.tokenizers import VocabularyTokenizer, save_tokenizer

TASK = Task("t", "Write f(x): add 1.\n", (StdinCheck("", ""),))
PREFIX = "def f(x):\n    x = x + 1\n"


@pytest.fixture(scope="module")
def sampler(policy_folder) -> TransformersSampler:
    return TransformersSampler.load(policy_folder, max_tokens=24)


def ask(count=3, text=PREFIX, seed=0, task=TASK) -> PrefixRequest:
    return PrefixRequest(task, text, count, seed)


def test_smallest_use(sampler):
    [[first, second]] = sampler([ask(2)])
    assert first.text != second.text and 1 <= first.num_tokens <= 24


def test_completions_are_the_same_whatever_else_is_asked(sampler):
    other = Task("o", "Something else that is a good deal longer.\n" * 3, TASK.checks)
    requests = [ask(), ask(2, "", 7), ask(4, "def f(x):\n", 3, other)]
    together = sampler(requests)
    assert [len(completions) for completions in together] == [3, 2, 4]
    assert [sampler([request])[0] for request in requests] == together
    assert sampler([ask(1)])[0] == together[0][:1]
    assert sampler([ask(seed=1)])[0] != together[0]


def test_the_budget_is_of_the_whole_program(sampler):
    tokens = len(sampler.tokenizer.encode(PREFIX))
    [long, short] = sampler([ask(8, ""), ask(8)])
    assert max(completion.num_tokens for completion in long) == 24
    assert max(completion.num_tokens for completion in short) <= 24 - tokens + 1  # the newline is sampled anew
    [[last]] = sampler([ask(1, PREFIX * 20)])
    assert last.num_tokens == 1


def test_tokens_are_drawn_from_the_models_distribution(sampler):
    # the first token after the prompt, against the softmax: 4,000 draws, at most four standard deviations off
    tokenizer, model = sampler.tokenizer, sampler.model
    one = TransformersSampler(model, tokenizer, max_tokens=1, temperature=0.7)
    counts = Counter(completion.text for completion in one([ask(4000, "")])[0])
    with torch.no_grad():
        logits = model(torch.tensor([tokenizer.encode(TASK.prompt)])).logits[0, -1, : tokenizer.vocab_size]
    probabilities = (logits / 0.7).softmax(-1)
    for id in probabilities.topk(5).indices.tolist():
        p, text = probabilities[id].item(), tokenizer.token_bytes[id].decode(errors="replace")
        if "\ufffd" not in text:
            assert abs(counts[text] / 4000 - p) < 4 * (p * (1 - p) / 4000) ** 0.5


def test_a_policy_whose_tokens_cross_lines_is_asked_as_it_would_write(sampler):
    # After "...:\n" the policy writes "\n    " as one token, or "\n" and then another: both must be possible, and the
    # newline must not come twice.
    tokenizer = sampler.tokenizer
    newline = tokenizer.encode("\n")
    assert len(sampler._tokens_with_prefix(b"\n")) > 1
    [row] = sampler._rows(0, ask(1, "def f(x):\n"))
    assert row.ids == tokenizer.encode(TASK.prompt) + tokenizer.encode("def f(x):\n")[:-1] and row.healed == b"\n"
    text = [completion.text for completion in sampler([ask(64, "def f(x):\n")])[0]]
    starts = [tokenizer.token_bytes[id][1:].decode() for id in sampler._tokens_with_prefix(b"\n")]
    assert all(any(one.startswith(start) for start in starts) for one in text)
    assert newline == [id for id in sampler._tokens_with_prefix(b"\n") if tokenizer.token_bytes[id] == b"\n"]


def test_a_model_with_too_few_positions_is_refused(policy_folder):
    with pytest.raises(ValueError, match="256 positions"):
        TransformersSampler.load(policy_folder, max_tokens=256)
    with pytest.raises(ValueError, match="above 0"):
        TransformersSampler.load(policy_folder, temperature=0)


def test_of_a_long_prompt_the_end_is_read(sampler):
    long = Task("l", "word " * 500, TASK.checks)
    with pytest.warns(UserWarning, match="got 2000 tokens of task 'l'; expected at most max_prompt_tokens=232"):
        rows = list(sampler._rows(0, ask(1, "", task=long)))
    assert len(rows[0].ids) == 256 - 24
    list(sampler._rows(0, ask(1, "", task=long)))  # it is told once


def test_a_policy_whose_tokens_are_words(tmp_path):
    tokenizer = VocabularyTokenizer(["a", "ab", "bc", " = 1", "\n", TASK.prompt])
    save_tokenizer(tokenizer, tmp_path)
    trunk = ProcessRewardModel.from_scratch(tokenizer, width=32, num_layers=1, max_tokens=64).trunk
    LlamaForCausalLM(trunk.config).save_pretrained(tmp_path)
    sampler = TransformersSampler.load(tmp_path, max_tokens=8)
    # "abc" is "a" and "bc", which the greedy encoding does not find
    [row] = sampler._rows(0, ask(1, "abc = 1\n"))
    assert row.ids == [5, 0, 2, 3, 4]
    assert all(set(one.text) <= set("abc =1\n" + TASK.prompt) for one in sampler([ask(5, "abc = 1\n")])[0])
    assert ProcessRewardModel.from_policy(tmp_path).tokenizer == tokenizer

"""From a model on disk to a better one: labels, process reward model, PPO with LoRA, and an evaluation.

Everything goes through what a user has: folders that ``save_pretrained`` wrote, commands, ``agents.ppo``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn.functional import cross_entropy
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from agents import ppo
from agents.common.rollout import score_tokens
from agents.common.run import Run
from agents.critics.critic import Critic, make_critic
from agents.policies.causal import LoraConfig, Policy
from codegym.cli import main
from codegym.scorers.labels import line_labels, read_labels
from codegym.scorers.prm import ProcessRewardModel
from codegym.tasks.datasets import load_tasks
from codegym.tokenizers import TransformersTokenizer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft uses an old name
    pytest.mark.filterwarnings("ignore:no better than chance"),  # of 18 programs a model learns little
]

END, STOP = "<|endoftext|>", "<|im_end|>"
OPERATIONS = {
    "doubled": ("x * 2", 2, 10),
    "squared": ("x * x", 1, 25),
    "negated": ("-x", -1, -5),
    "raised by one": ("x + 1", 2, 6),
    "lowered by one": ("x - 1", 0, 4),
    "cubed": ("x ** 3", 1, 125),
    "as text": ("str(x)", "1", "5"),
    "in a list": ("[x]", [1], [5]),
}
ROWS = [
    {
        "task_id": number,
        "text": f"Write a function to give x {name}.",
        "code": f"def f(x):\n    y = {expression}\n    return y\n",
        "test_list": [f"assert f(1) == {of_one!r}", f"assert f(5) == {of_five!r}"],
        "test_setup_code": "",
        "challenge_test_list": [],
    }
    for number, (name, (expression, of_one, of_five)) in enumerate(OPERATIONS.items())
]
SIZES = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def make_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer as other people make theirs."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=[END, STOP], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END)


def mistaken(solution: str) -> tuple[str, str]:
    """A right program and one whose last line is wrong."""
    return solution, solution.replace("return y", "return x")


def make_model(kind: str, tokenizer: PreTrainedTokenizerFast):
    width = len(tokenizer) + 5  # as is common: output layers are rounded up
    torch.manual_seed(0)
    if kind == "llama":
        sizes = SIZES | {"intermediate_size": 128, "num_key_value_heads": 2, "max_position_embeddings": 1024}
        return LlamaForCausalLM(LlamaConfig(vocab_size=width, bos_token_id=None, eos_token_id=0, **sizes))
    sizes = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 1024}
    return GPT2LMHeadModel(GPT2Config(vocab_size=width, bos_token_id=0, eos_token_id=0, **sizes))


def fit(model, tokenizer: PreTrainedTokenizerFast, pairs: list[tuple[str, str]]) -> None:
    """Teach a model to complete prompts, so that some of its programs pass and some do not."""
    texts = [(tokenizer(prompt)["input_ids"], tokenizer(program + END)["input_ids"]) for prompt, program in pairs]
    longest = max(len(prompt) + len(program) for prompt, program in texts)
    tokens = torch.tensor([[*prompt, *program, *[0] * (longest - len(prompt + program))] for prompt, program in texts])
    wanted = torch.zeros_like(tokens, dtype=torch.bool)
    for row, (prompt, program) in enumerate(texts):
        wanted[row, len(prompt) : len(prompt + program)] = True
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        logits = model(tokens[:, :-1]).logits[wanted[:, 1:]]
        cross_entropy(logits, tokens[wanted]).backward()
        optimizer.step()


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def base(request, rows, tmp_path_factory) -> Path:
    """A pre-trained model with its tokenizer, as somebody else saved it."""
    tasks = load_tasks("mbpp", rows)
    pairs = [(task.prompt, program) for task in tasks for program in mistaken(task.solution)]
    tokenizer = make_tokenizer([text for pair in pairs for text in pair])
    model = make_model(request.param, tokenizer)
    fit(model, tokenizer, pairs)
    folder = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def command(*args: object) -> int:
    with pytest.raises(SystemExit) as exit:
        main([str(arg) for arg in args])
    return int(exit.value.code or 0)


@dataclass(frozen=True)
class Trained:
    """What is there after training."""

    base: Path
    start: Path
    prm: Path
    labels: Path
    run: Run


@pytest.fixture(scope="module")
def trained(base, rows, tmp_path_factory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    labels, prm, box = folder / "labels.jsonl", folder / "prm", ("--sandbox", "process")
    tasks = ("--tasks", "mbpp", "--path", rows, "--num-samples", 4)
    assert command("prm", "label", base, *tasks, "--out", labels, "--num-completions", 8, "--max-tokens", 48, *box) == 0
    options = ("--on-useless", "warn", "--epochs", 4, "--holdout-fraction", 0.4, "--selection", "full")
    assert command("prm", "train", labels, "--out", prm, "--policy", base, *options) == 0

    start = Policy.load(base, LoraConfig(rank=4)).save(folder / "start")
    model = ProcessRewardModel.load(prm)
    config = ppo.PPOConfig(
        policy=start,
        out=folder / "run",
        tasks="mbpp",
        tasks_path=rows,
        reward="outcome + 0.5*process",
        sandbox="process",
        num_iterations=3,  # in the first one only the critic learns
        batch_size=16,
        minibatch_size=8,
        max_tokens=48,
        max_prompt_tokens=512,
    )
    critic = Critic(model.value_model(Policy.load(start).tokenizer))
    return Trained(base, start, prm, labels, ppo.train(config, critic=critic, line_scorer=model))


def test_every_part_of_the_way_did_something(trained) -> None:
    signs = {label for program in read_labels(trained.labels) for label in line_labels(program)}
    assert {1.0, -1.0} <= signs
    assert ProcessRewardModel.load(trained.prm).card["training"]["learned"]["programs"] > 0
    first, second, third = trained.run.metrics()
    clipped = ["losses/clip_fraction" in row for row in (first, second, third)]
    assert clipped == [False, True, True]
    for row in (first, second, third):
        assert all(torch.isfinite(torch.tensor(float(value))) for value in row.values()), row
        assert row["charts/reward"] != row["charts/pass_rate"]  # the process reward is part of it
        assert row["charts/unjudged"] == 0


def test_only_the_adapter_has_learned(trained) -> None:
    before, after = Policy.load(trained.start), Policy.load(trained.run.folder / "policy")
    pairs = zip(before.model.named_parameters(), after.model.named_parameters(), strict=True)
    moved = {name: not torch.equal(old, new) for (name, old), (_, new) in pairs}
    assert {name for name, has_moved in moved.items() if has_moved} <= {name for name in moved if "lora_" in name}
    assert any(moved.values())
    weights = AutoModelForCausalLM.from_pretrained(trained.base, dtype=torch.float32).state_dict()
    trained_model = trained.run.model.get_base_model().state_dict()
    kept = {name.replace(".base_layer", ""): value for name, value in trained_model.items()}
    assert all(torch.equal(value, kept[name]) for name, value in weights.items())


def test_the_saved_policy_gives_the_same_log_probabilities(trained, rows) -> None:
    policy, loaded = trained.run.policy, Policy.load(trained.run.folder / "policy")
    assert loaded.tokenizer == policy.tokenizer
    task = load_tasks("mbpp", rows)[0]
    prompt = policy.tokenizer.encode(task.prompt)
    tokens = torch.tensor([prompt + policy.tokenizer.encode(task.solution)])
    mask = torch.arange(tokens.shape[1])[None] >= len(prompt)
    with torch.no_grad():
        one, other = (score_tokens(p.model, tokens, mask, 1.0, p.allowed)[0] for p in (policy, loaded))
    assert torch.equal(one, other)
    assert AutoTokenizer.from_pretrained(trained.run.folder / "policy").eos_token == END


def test_the_adapter_is_evaluated_on_rows_written_by_hand(trained, rows, tmp_path) -> None:
    out = tmp_path / "out.jsonl"
    tasks = ("--tasks", "mbpp", "--path", rows, "--num-samples", 3, "--max-tokens", 48)
    assert command("evaluate", trained.run.folder / "policy", *tasks, "--sandbox", "process", "--out", out) == 0
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["task_id"], row["sample"]) for row in found] == [(str(n), k) for n in range(8) for k in range(3)]
    assert {row["passed"] for row in found} == {True, False}
    card = json.loads((tmp_path / "out.card.json").read_text())
    assert card["scores"][0]["value"] == pytest.approx(sum(row["passed"] for row in found) / 24)


def test_the_adapter_is_evaluated_on_mbpp(trained, shared_data, tmp_path) -> None:
    out = tmp_path / "out.jsonl"
    tasks = ("--tasks", "mbpp", "--path", shared_data / "mbpp.jsonl", "--num-tasks", 4, "--num-samples", 2)
    budget = ("--max-tokens", 32, "--max-prompt-tokens", 512)
    assert (
        command("evaluate", trained.run.folder / "policy", *tasks, *budget, "--sandbox", "process", "--out", out) == 0
    )
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(found) == 8 and not any(row["passed"] for row in found)  # it has only ever added small numbers


def test_an_adapter_finds_its_base_from_another_working_directory(base, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(base.parent)
    Policy.load(base.name, LoraConfig(rank=2)).save(tmp_path / "adapter")
    monkeypatch.chdir(tmp_path)
    assert Policy.load("adapter").tokenizer == Policy.load(base).tokenizer


def test_a_process_reward_model_starts_from_the_adapter_and_not_from_its_base(trained) -> None:
    adapted = trained.run.model.get_base_model()
    trunk = ProcessRewardModel.from_policy(trained.run.folder / "policy").trunk
    tokens = torch.tensor([[70, 80, 90]])
    with torch.no_grad():
        hidden, expected = trunk(tokens).last_hidden_state, adapted.base_model(tokens).last_hidden_state
        of_base = ProcessRewardModel.from_policy(trained.base).trunk(tokens).last_hidden_state
    torch.testing.assert_close(hidden, expected, atol=1e-4, rtol=0)
    assert (of_base - expected).abs().max() > 1e-3


def test_another_end_of_a_program_is_kept(base, tmp_path) -> None:
    tokenizer = TransformersTokenizer(base, eos_token=STOP)
    saved = Policy(AutoModelForCausalLM.from_pretrained(base), tokenizer).save(tmp_path / "policy")
    assert (
        Policy.load(saved).tokenizer.eos_token_id == tokenizer.eos_token_id != Policy.load(base).tokenizer.eos_token_id
    )


def test_a_tokenizer_object_is_saved_too(base, tmp_path) -> None:
    policy = Policy(AutoModelForCausalLM.from_pretrained(base), AutoTokenizer.from_pretrained(base))
    policy.tokenizer.name = str(tmp_path / "gone")
    assert Policy.load(policy.save(tmp_path / "policy")).tokenizer == policy.tokenizer


def test_a_critic_starts_from_a_policy_with_lora(trained) -> None:
    critic = make_critic(Policy.load(trained.start).model)
    values = critic(torch.tensor([[70, 80, 90]]))
    assert values.tolist() == [[0, 0, 0]]  # a zero head
    values.sum().backward()
    learning = {name for name, weight in critic.named_parameters() if weight.requires_grad}
    assert learning and all("lora_" in name or "head" in name for name in learning)

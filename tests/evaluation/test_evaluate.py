"""``evaluate`` with any callable, and ``codegym evaluate`` with a policy on disk: exact scores, resumed to the byte."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from helpers.env_judges import HeldJudge, JudgeSays

from agents.generation.generate import Sampling
from agents.policies.causal import LoraConfig, Policy, TinyConfig, make_tiny
from codegym import CallCheck, FakeSandbox, SandboxError, Task
from codegym.adapters.completions import fenced_code
from codegym.cli import main, options
from codegym.evaluation import SamplerPolicy, evaluate
from codegym.evaluation.evaluate import sample_batches
from codegym.evaluation.metrics import Score
from codegym.sampling import Completion
from codegym.sandbox.process import ProcessSandbox
from codegym.tasks.datasets import save_tasks
from codegym.tasks.procedural import Pipelines

PREAMBLE = "def f(x): return x"
PROMPTS = ["# x\n", "# twice x\n", "# one more\n"]
CHECKS = [tuple(CallCheck((x,), answer(x)) for x in (0, 3)) for answer in (int, lambda x: 2 * x, lambda x: x + 1)]
TASKS = [
    Task(prompt, prompt, checks, preamble=PREAMBLE, entry_point="f")
    for prompt, checks in zip(PROMPTS, CHECKS, strict=True)
]
TOKENS = [*PROMPTS, " * 2", " + 1"]
GOOD = {"# x\n": "", "# twice x\n": " * 2", "# one more\n": " + 1"}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_a_policy_that_solves_two_of_three_tasks() -> None:
    answers = GOOD | {"# twice x\n": " * 3"}
    with ProcessSandbox() as sandbox:
        found = evaluate(lambda prompts: [answers[prompt] for prompt in prompts], TASKS, sandbox=sandbox)
    assert found.scores == (Score(1, pytest.approx(2 / 3), 0.0, 1.0),)  # 1 time in 27 all draws are the failed task
    assert found.statuses == {"passed": 2, "wrong_answer": 1}
    assert [(sample.task_id, sample.number, sample.status) for sample in found.samples] == [
        ("# x\n", 0, "passed"),
        ("# twice x\n", 0, "wrong_answer"),
        ("# one more\n", 0, "passed"),
    ]


def test_sampler_of_the_library_is_a_policy() -> None:
    seeds = []

    def sampler(requests):
        seeds.extend(request.seed for request in requests)
        return [[Completion(GOOD[request.task.prompt], 1)] for request in requests]

    with ProcessSandbox() as sandbox:
        found = evaluate(SamplerPolicy(sampler, seed=3), TASKS, num_samples=2, sandbox=sandbox)
    assert found.scores[0].value == 1 and len(set(seeds)) == 6


def test_every_k_has_its_score_and_batches_are_asked_for_in_order() -> None:
    asked, gold = [], Task("g", "p", TASKS[0].checks, entry_point="f", solution="right")

    def policy(prompts):
        asked.append(list(prompts))
        return ["right" if len(asked) == 1 else "wrong"] * len(prompts)

    found = evaluate(policy, gold, num_samples=5, batch_size=2, ks=[1, 2, 5], sandbox="fake")
    assert asked == [["p", "p"], ["p", "p"], ["p"]]
    assert [round(score.value, 12) for score in found.scores] == [0.4, 0.7, 1.0]  # two of five: 2/5, 1 - 3/10, 1


class ReleasedByTheLast(HeldJudge):
    """Says nothing of any program before it has all three."""

    def submit(self, task, completion):
        future = super().submit(task, completion)
        if len(self.held) == 3:
            self.release()
        return future


def test_the_policy_goes_on_while_programs_are_judged() -> None:
    judge, waiting = ReleasedByTheLast(), []

    def policy(prompts):
        waiting.append(sum(not future.done() for future, _, _ in judge.held))
        return [""] * len(prompts)

    assert len(evaluate(policy, TASKS, batch_size=1, sandbox=judge).samples) == 3
    assert waiting == [0, 1, 2]


def test_a_failure_of_the_machine_counts_in_no_score() -> None:
    broken = JudgeSays(SandboxError("no power"))
    found = evaluate(lambda prompts: [""] * len(prompts), TASKS, sandbox=broken)
    assert found.scores == () and found.num_tasks == 0 and found.statuses == {"infrastructure_failure": 3}
    with pytest.raises(SandboxError, match="64 samples in a row"):
        evaluate(lambda prompts: [""] * len(prompts), TASKS, num_samples=40, sandbox=broken)


@pytest.mark.parametrize(
    ("policy", "options", "error", "said"),
    [
        (lambda prompts: [], {}, ValueError, "0 completions of 3 prompts"),
        (lambda prompts: [None] * 3, {}, TypeError, "got None; expected a string"),
        (None, {"num_samples": 0}, ValueError, "got num_samples=0; expected at least 1"),
        (
            None,
            {"num_samples": 5, "ks": [1, 10]},
            ValueError,
            r"got \[1, 10\]; expected values from 1 to num_samples=5",
        ),
        (None, {"batch_size": 0}, ValueError, "got batch_size=0; expected at least 1"),
        (None, {"tasks": Pipelines()}, ValueError, "endless tasks: got Pipelines"),
    ],
)
def test_what_cannot_be_is_told(policy, options, error, said) -> None:
    with pytest.raises(error, match=said):
        evaluate(policy, **{"tasks": TASKS, "sandbox": "fake"} | options)


def test_batches_are_the_same_wherever_one_begins() -> None:
    whole = list(sample_batches(5, 3, 4))
    assert sum(whole, []) == [(task, number) for task in range(5) for number in range(3)]
    assert all(list(sample_batches(5, 3, 4, done)) == whole[done // 4 :] for done in range(15))


def test_answers_in_markdown_are_the_policys_business() -> None:
    with ProcessSandbox() as sandbox:
        found = evaluate(lambda prompts: [fenced_code("```python\n * 2\n```")], TASKS[1], sandbox=sandbox)
    assert found.samples[0].completion == " * 2\n" and found.scores[0].value == 1


# The command line, with a policy on disk whose five tokens make a good program now and then.


@pytest.fixture(scope="module")
def policy_folder(tmp_path_factory) -> Path:
    size = TinyConfig(num_layers=1, width=16, num_heads=2, mlp_width=16, max_positions=16)
    return make_tiny(TOKENS, size).save(tmp_path_factory.mktemp("policy"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    save_tasks(TASKS, tmp_path / "tasks.jsonl")
    return tmp_path


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as exit:
        main([str(arg) for arg in args])
    return int(exit.value.code or 0)


def run_evaluate(policy: Path, data: Path, *args: object, samples: int = 12) -> int:
    tasks = ("--tasks", "jsonl", "--path", data / "tasks.jsonl", "--out", data / "out.jsonl")
    fixed = ("--num-samples", samples, "--max-tokens", 2, "--batch-size", 8, "--workers", 2)
    return run("evaluate", policy, *tasks, *fixed, "--sandbox", "process", *args)


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(policy_folder, tmp_path_factory) -> dict[str, bytes]:
    """Files of an evaluation that was not interrupted."""
    folder = tmp_path_factory.mktemp("finished")
    save_tasks(TASKS, folder / "tasks.jsonl")
    assert run_evaluate(policy_folder, folder) == 0
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_every_sample_has_a_row_and_the_scores_are_those_of_the_rows(policy_folder, data, capsys) -> None:
    assert run_evaluate(policy_folder, data, "--ks", 1, 12) == 0
    found = rows(data / "out.jsonl")
    assert [(row["task_id"], row["sample"]) for row in found] == [(id, n) for id in PROMPTS for n in range(12)]
    # after a comment an operator would begin a line, so a good program ends in comments
    good = [re.sub(r"(#.*\n)*$", "", row["completion"]) == GOOD[row["task_id"]] for row in found]
    assert [row["passed"] for row in found] == good and 3 < sum(good) < 30
    by_task = [sum(good[first : first + 12]) for first in (0, 12, 24)]
    said = capsys.readouterr().out
    assert f"pass@1  │ {sum(by_task) / 36:.4f}" in said
    assert f"pass@12 │ {sum(map(bool, by_task)) / 3:.4f}" in said
    assert "3 of 3 tasks have samples" in said and "tokens/s" in said
    card = json.loads((data / "out.card.json").read_text())
    assert card["scores"][0]["value"] == pytest.approx(sum(good) / 36) and card["num_tasks"] == 3
    cost = json.loads((data / "out.samples.card.json").read_text())
    assert cost["tokens"] == sum(row["num_tokens"] for row in found)
    assert len({row["completion"] for row in found}) > 3  # the samples of a task are not all the same


@pytest.mark.parametrize(("samples", "verdicts"), [(0, 0), (8, 3), (8.5, 8), (11, 0), (29.5, 20), (36, 7), (36, 35.5)])
def test_wherever_it_was_interrupted_it_ends_with_the_same_bytes(
    policy_folder, data, finished, samples: float, verdicts: float
) -> None:
    # a killed process leaves so many rows, .5 for a half-written one; never a verdict without its sample
    for name, count in (("out.samples.jsonl", samples), ("out.jsonl", verdicts)):
        lines = finished[name].splitlines(keepends=True)
        half = lines[int(count)][:20] if count % 1 else b""
        (data / name).write_bytes(b"".join(lines[: int(count)]) + half)
        card = Path(name).with_suffix(".card.json").name
        (data / card).write_bytes(finished[card])
    assert run_evaluate(policy_folder, data) == 0
    for name in ("out.samples.jsonl", "out.jsonl"):
        assert _timeless((data / name).read_bytes()) == _timeless(finished[name])


def _timeless(lines: bytes) -> list[dict]:
    """CPU time is measured anew."""
    return [
        {name: value for name, value in json.loads(line).items() if name != "cpu_seconds"}
        for line in lines.splitlines()
    ]


def test_a_finished_evaluation_needs_neither_policy_nor_machine(policy_folder, data, monkeypatch, capsys) -> None:
    assert run_evaluate(policy_folder, data) == 0
    first = capsys.readouterr().out
    monkeypatch.setattr(options, "open_sandbox", None)
    monkeypatch.setattr("codegym.sampling.hf.TransformersSampler.load", None)
    assert run_evaluate(policy_folder, data) == 0
    assert capsys.readouterr().out == first


def test_failures_of_the_machine_are_judged_again_and_not_written_again(
    policy_folder, data, monkeypatch, finished
) -> None:
    def broken(request):
        raise SandboxError("no power")

    with monkeypatch.context() as patch:
        patch.setattr(options, "open_sandbox", lambda *_, **__: FakeSandbox(broken))
        assert run_evaluate(policy_folder, data) == 2
    assert {(row["passed"], row["status"]) for row in rows(data / "out.jsonl")} == {(None, "infrastructure_failure")}
    written = (data / "out.samples.jsonl").read_bytes()
    monkeypatch.setattr("codegym.sampling.hf.TransformersSampler.load", None)
    assert run_evaluate(policy_folder, data) == 0
    assert (data / "out.samples.jsonl").read_bytes() == written
    assert _timeless((data / "out.jsonl").read_bytes()) == _timeless(finished["out.jsonl"])


def test_samples_of_other_settings_or_other_weights_are_refused(policy_folder, data, tmp_path, capsys) -> None:
    policy = Policy.load(policy_folder)
    policy.save(tmp_path / "policy")
    assert run_evaluate(tmp_path / "policy", data, samples=1) == 0
    assert run_evaluate(tmp_path / "policy", data, "--temperature", 0.5, samples=1) == 1
    assert "got temperature=0.5; expected 1.0" in (said := capsys.readouterr().err) and "--overwrite" in said
    next(policy.model.parameters()).data.add_(1)
    policy.save(tmp_path / "policy")
    assert run_evaluate(tmp_path / "policy", data, samples=1) == 1
    assert "other settings: got weights=" in capsys.readouterr().err
    assert run_evaluate(tmp_path / "policy", data, "--overwrite", samples=1) == 0


def test_tasks_of_a_family_are_drawn(tmp_path) -> None:
    size = TinyConfig(num_layers=1, width=16, num_heads=2, mlp_width=16, max_positions=256)
    folder = make_tiny("bytes", size).save(tmp_path / "policy")
    out = tmp_path / "out.jsonl"
    command = ["evaluate", folder, "--tasks", "pipelines", "--num-tasks", 3, "--horizon", 2, "--difficulty", 0.5]
    assert run(*command, "--max-tokens", 4, "--sandbox", "process", "--greedy", "--out", out) == 0
    ids = [row["task_id"] for row in rows(out)]
    assert len(set(ids)) == 3 and all(id.startswith("pipelines:test:2:0.5:") for id in ids)


def test_greedy_takes_the_likeliest_token_each_time(policy_folder, data) -> None:
    assert run_evaluate(policy_folder, data, "--greedy", samples=1) == 0
    policy = Policy.load(policy_folder)
    likeliest = policy.complete(PROMPTS, Sampling(max_tokens=2, greedy=True))
    end = policy.tokenizer.eos_token_id
    expected = [policy.text([token for token in likeliest.row(row) if token != end]) for row in range(3)]
    assert [row["completion"] for row in rows(data / "out.jsonl")] == expected


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft uses an old name
def test_an_adapter_writes_other_programs_than_its_base(policy_folder, data) -> None:
    pytest.importorskip("peft")
    adapted = Policy.load(policy_folder, LoraConfig(rank=2))
    for weight in adapted.model.parameters():
        if weight.requires_grad:
            torch.nn.init.normal_(weight, std=3, generator=torch.Generator().manual_seed(0))
    adapter = adapted.save(data / "adapter")
    assert run_evaluate(adapter, data) == 0
    written = [row["completion"] for row in rows(data / "out.jsonl")]
    assert run_evaluate(policy_folder, data, "--overwrite") == 0
    assert written != [row["completion"] for row in rows(data / "out.jsonl")]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--tasks", "pascal"], "unknown tasks: got 'pascal'; expected one of"),
        (["--tasks", "pipelines"], "Add --num-tasks 100"),
        (["--tasks", "pipelines", "--num-tasks", "2", "--path", "x"], "a path without a data set"),
        (
            ["--tasks", "pipelines", "--num-tasks", "2", "--split", "dev"],
            'split: got \'dev\'; expected "train" or "test"',
        ),
        (
            ["--tasks", "mbpp", "--path", "x.jsonl", "--horizon", "3"],
            "--horizon of a data set: got --tasks mbpp; expected one of arithmetic",
        ),
        (["--tasks", "pipelines", "--num-tasks", "2", "--num-samples", "2", "--ks", "10"], "Draw more samples"),
        (
            ["--tasks", "pipelines", "--num-tasks", "2", "--num-samples", "2", "--greedy"],
            "samples the same program every time",
        ),
        (["--tasks", "pipelines", "--num-tasks", "2", "--batch-size", "0"], "--batch-size"),
        (["--tasks", "pipelines", "--num-tasks", "2", "--out", "x.json"], "ending in .jsonl"),
        (["--tasks", "jsonl", "--path", "x.jsonl", "--out", "x.jsonl"], "expected a file of its own"),
        (["--tasks", "pipelines", "--num-tasks", "2", "--max-tokens", "16"], "no room for a prompt"),
    ],
)
def test_trouble_is_one_clear_line(policy_folder, args, said, capsys) -> None:
    assert run("evaluate", policy_folder, *args) != 0
    message = capsys.readouterr().err
    assert said in " ".join(message.replace("│", " ").split()) and "Traceback" not in message

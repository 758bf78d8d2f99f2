"""``codegym evaluate``: pass@k of a policy."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import tyro

from codegym.cli.common import ProgressBar, output
from codegym.cli.judge import exit_status, open_results, print_scores, score_rows
from codegym.cli.options import INLINE, SamplingOptions, SandboxOptions, TaskOptions
from codegym.evaluation.draws import DrawOptions, Draws
from codegym.evaluation.evaluate import validate_ks
from codegym.evaluation.metrics import Evaluation
from codegym.evaluation.verdicts import SampleJudge
from codegym.jsonl import ResumableFile, digest
from codegym.tokenizers import resolve_model


def evaluate(
    policy: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="POLICY")],
    tasks: Annotated[TaskOptions, INLINE],
    draw: Annotated[DrawOptions, INLINE],
    sampling: Annotated[SamplingOptions, INLINE],
    sandbox: Annotated[SandboxOptions, INLINE],
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    overwrite: bool = False,
) -> int:
    """Sample programs from a policy, judge them meanwhile, and print pass@k.

    POLICY is a folder that save_pretrained or an agent wrote, LoRA adapters included, or an id on the Hub.

    Try:
        codegym evaluate runs/ppo/policy --tasks pipelines --num-tasks 200 --horizon 4 --num-samples 10
        codegym evaluate Qwen/Qwen2.5-Coder-0.5B --tasks mbpp --path mbpp.jsonl --out runs/qwen.jsonl --device cuda

    Rows of --out are those of codegym judge. The samples are beside it in .samples.jsonl, and settings, costs and
    scores in .card.json and .samples.card.json. After an interruption or a failure of the machine (exit status 2) the
    same command resumes and ends with the same samples; with other settings it is refused.

    Args:
        policy: Folder or Hub id of the policy.
        tasks: Tasks to solve.
        draw: Number and kind of the samples.
        sampling: Settings of the sampling.
        sandbox: Sandbox in which the programs run.
        out: File of the verdicts, .jsonl. Without it nothing is kept.
        overwrite: Delete the results of earlier runs and start anew.
    """
    _check_names(policy, out, tasks.path)
    source = tasks.load(draw.seed)
    content = {"tasks_digest": digest(source.tasks), "policy": policy, "weights": digest_weights(Path(policy))}
    settings = content | tasks.settings | asdict(sampling) | asdict(draw)
    open_sampler = partial(sampling.open, policy, greedy=draw.greedy, max_prompt_tokens=draw.max_prompt_tokens)
    with TemporaryDirectory() as folder:
        path = out or Path(folder) / "verdicts.jsonl"
        with (
            open_results(path.with_suffix(".samples.jsonl"), settings, overwrite, "samples") as samples,
            open_results(path, settings | sandbox.settings, overwrite, "verdicts") as file,
        ):
            found = _judge(Draws(samples, source, draw, open_sampler), sandbox, file)
    print_scores(found, len(source.tasks), out)
    output.print(_cost(samples.card.notes))
    return exit_status(found)


def _check_names(policy: str, out: Path | None, tasks: Path | None) -> None:
    if out is not None and (out.suffix != ".jsonl" or out == tasks):
        raise ValueError(f"wrong name of the results: got --out {out}; expected a file of its own, ending in .jsonl")
    resolve_model(policy, "policy")


def _judge(draws: Draws, sandbox: SandboxOptions, file: ResumableFile) -> Evaluation:
    with ProgressBar() as progress:
        SampleJudge(draws.source.by_id, sandbox.open_judge, progress).judge(draws, draws.total, file)
    return score_rows(file, validate_ks(draws.options.ks, draws.options.num_samples))


def _cost(notes: Mapping[str, float]) -> str:
    tokens, seconds = notes.get("tokens", 0), notes.get("seconds", 0.0)
    rate = f", {tokens / seconds:,.0f} tokens/s" if seconds else ""
    return f"{tokens:,} tokens were sampled in {seconds:,.1f} s{rate}"


def digest_weights(folder: Path) -> str:
    """Return a digest of the weights in a folder, so that a policy that was trained further is not taken for the same.

    Args:
        folder: Folder of the policy. For an id on the Hub the digest is that of no weights.
    """
    hashed = hashlib.blake2b(digest_size=16)
    for file in sorted(file for file in folder.glob("*") if file.suffix in (".safetensors", ".bin")):
        with file.open("rb") as opened:
            hashed.update(hashlib.file_digest(opened, "blake2b").digest())
    return hashed.hexdigest()

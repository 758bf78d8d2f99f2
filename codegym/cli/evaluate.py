"""``codegym evaluate``: how many tasks does a policy solve?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, cast

import numpy as np
import tyro

from codegym.cli.common import Box, Sampling, SandboxOptions, output, progress_bar
from codegym.cli.judge import Machine, judge_all, retry_path, summarise
from codegym.errors import DatasetError
from codegym.evaluation.draws import DrawOptions, Draws
from codegym.evaluation.evaluate import validate_ks
from codegym.evaluation.metrics import Evaluation
from codegym.tasks.datasets import DATASETS, load_tasks
from codegym.tasks.procedural import FAMILIES, Procedural
from codegym.tasks.record import Task
from codegym.tasks.source import ListSource

_NAMES = ", ".join([*DATASETS, *FAMILIES])


@dataclass(frozen=True)
class EvaluatedTasks:
    """What programs are written for."""

    dataset: Annotated[str, tyro.conf.arg(metavar="NAME", help=f"A data set or a procedural family: {_NAMES}.")]
    path: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The data set's own file; without it the data set comes from the Hub."""
    split: str | None = None
    """Split on the Hub, by default the data set's usual one; of a family "train" or "test", by default "test"."""
    limit: int | None = None
    """The first so many tasks of a data set, by default all. Of a family, which has no end, so many are drawn."""
    horizon: tuple[int, ...] = ()
    """Lines of a program of a family, or the lowest and the highest number of them."""
    difficulty: float | None = None
    """How difficult the tasks of a family are, from 0 to 1."""

    def load(self, seed: int) -> ListSource:
        """Open the data set, or draw the tasks of a family."""
        if self.dataset in FAMILIES:
            return ListSource(tuple({task.task_id: task for task in self._drawn(seed)}.values()))
        if self.dataset not in DATASETS:
            raise ValueError(f"no tasks {self.dataset!r}; there are {_NAMES}")
        if self.horizon or self.difficulty is not None:
            raise ValueError(f"--horizon and --difficulty are for {', '.join(FAMILIES)}, got --dataset {self.dataset}")
        return ListSource(load_tasks(self.dataset, self.path, split=self.split, limit=self.limit))

    def _drawn(self, seed: int) -> Iterator[Task]:
        if self.limit is None or self.limit < 1:
            raise ValueError(f"--limit must say how many tasks to draw: {self.dataset} has no end of them")
        if self.path is not None or len(self.horizon) > 2:
            raise ValueError(f"{self.dataset} takes no --path, and one or two numbers of lines as --horizon")
        knobs: dict[str, Any] = {"split": self.split or "test"}
        knobs |= {"horizon": self.horizon[0] if len(self.horizon) == 1 else self.horizon} if self.horizon else {}
        knobs |= {} if self.difficulty is None else {"difficulty": self.difficulty}
        family, rng = replace(cast(Procedural, FAMILIES[self.dataset]()), **knobs), np.random.default_rng(seed)
        return (family.draw(rng) for _ in range(self.limit))


def evaluate(
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")],
    tasks: Annotated[EvaluatedTasks, tyro.conf.arg(name="")],
    draw: Annotated[DrawOptions, tyro.conf.arg(name="")],
    sampling: Sampling,
    box: Box,
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    overwrite: bool = False,
) -> int:
    """Let a policy write programs, judge them meanwhile, and print pass@k.

    MODEL is a folder that save_pretrained or an agent wrote, LoRA adapters too, or an id on the Hub.

    Try:
        codegym evaluate runs/ppo/policy --dataset pipelines --limit 200 --horizon 4 --num-samples 10
        codegym evaluate Qwen/Qwen2.5-Coder-0.5B --dataset mbpp --path mbpp.jsonl --out runs/qwen.jsonl --device cuda

    Rows of --out are as those of codegym judge. Beside it lie .samples.jsonl and .card.json, settings and scores. After
    an interruption or a failure of the machine (exit status 2) the same command goes on and ends with the same samples.

    Args:
        model: who writes.
        tasks: which tasks.
        draw: which samples.
        sampling: how the policy writes.
        box: which sandbox.
        out: where the verdicts go, .jsonl; without it nothing is kept.
        overwrite: start anew although there are verdicts already.
    """
    if out is not None and (out.suffix != ".jsonl" or out == tasks.path):
        raise ValueError(f"--out must be a file of its own that ends in .jsonl, got {str(out)!r}")
    source = tasks.load(draw.seed)
    settings = asdict(sampling) | asdict(draw) | asdict(tasks) | {"model": model, "weights": _digest_of(Path(model))}
    open_sampler = partial(sampling.open, model, greedy=draw.greedy, max_prompt_tokens=draw.max_prompt_tokens)
    with TemporaryDirectory() as folder:
        path = out or Path(folder) / "verdicts.jsonl"
        draws = Draws(path.with_suffix(".samples.jsonl"), source, draw, open_sampler)
        card = _Card(path, settings)
        if overwrite:
            _forget(path, retry_path(path), draws.path, card.path)
        _judge(draws, path, box, card)
        found, status = summarise(path, len(draws.ids), validate_ks(draw.ks, draw.num_samples), is_kept=out is not None)
        card.conclude(found)
    output.print(card.line)
    return status


def _forget(*files: Path) -> None:
    for file in files:
        file.unlink(missing_ok=True)


def _judge(draws: Draws, path: Path, box: SandboxOptions, card: _Card) -> None:
    """Write and judge what is missing, and put down what that has cost, also where it is interrupted."""
    card.claim(draws.ids)
    try:
        with progress_bar() as progress:
            judge_all(draws, draws.total, path, Machine(draws.source.by_id, box, {}, progress))
    finally:
        card.spend(draws.spent.tokens, draws.seconds)


_NO_MATTER = ("device", "num_threads", "ks")


class _Card:
    """``NAME.card.json`` beside the verdicts: how they came about, what they have cost and what they come to.

    Args:
        verdicts: whose card it is.
        settings: all that decides what the samples are.
    """

    def __init__(self, verdicts: Path, settings: dict[str, Any]) -> None:
        self.path = verdicts.with_suffix(".card.json")
        kept = {name: value for name, value in settings.items() if name not in _NO_MATTER}
        self.content: dict[str, Any] = {"settings": json.loads(json.dumps(kept, default=str))}
        self.content["spent"] = {"tokens": 0, "seconds": 0.0}

    def claim(self, ids: Sequence[str]) -> None:
        """Go on from the card of an earlier run; ``DatasetError`` where that had other settings or other tasks."""
        settings = self.content["settings"]
        settings["ids"] = hashlib.blake2b(repr(ids).encode(), digest_size=16).hexdigest()
        if self.path.exists():
            earlier = json.loads(self.path.read_text(encoding="utf-8"))
            for name, value in settings.items():
                if earlier["settings"].get(name) != value:
                    raise DatasetError(
                        f"{self.path} is of a run with another {name}: {earlier['settings'].get(name)!r}, now "
                        f"{value!r}. Give another --out, or --overwrite to start anew"
                    )
            self.content["spent"] = earlier["spent"]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._write()

    def spend(self, tokens: int, seconds: float) -> None:
        """Add what was sampled."""
        spent = self.content["spent"]
        self.content["spent"] = {"tokens": spent["tokens"] + tokens, "seconds": round(spent["seconds"] + seconds, 3)}
        self._write()

    def conclude(self, found: Evaluation) -> None:
        """Add the scores."""
        scores = [score._asdict() for score in found.scores]
        self.content |= {"statuses": dict(found.statuses), "tasks": found.num_tasks, "scores": scores}
        self._write()

    @property
    def line(self) -> str:
        """What writing the samples has cost."""
        tokens, seconds = self.content["spent"]["tokens"], self.content["spent"]["seconds"]
        rate = f", {tokens / seconds:,.0f} tokens/s" if seconds else ""
        return f"{tokens:,} tokens were written in {seconds:,.1f} s{rate}"

    def _write(self) -> None:
        self.path.write_text(json.dumps(self.content, indent=2) + "\n", encoding="utf-8")


def _digest_of(folder: Path) -> str:
    """A digest of the weights in a folder, so that those of a policy that went on learning are not taken for the same.

    An id on the Hub has none.
    """
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(file for file in folder.glob("*") if file.suffix in (".safetensors", ".bin")):
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "blake2b").digest())
    return digest.hexdigest()

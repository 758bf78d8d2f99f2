"""Sequence trainers such as TRL's GRPO and RLOO: a reward function over whole completions, on the same judge.

    trainer = GRPOTrainer(
        model,
        CompletionReward("mbpp", reward="pass_ratio", strip_fences=True),
        train_dataset=Dataset.from_list(to_dataset("mbpp")),
    )

Nothing here imports the trainer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from codegym.envs.batch import EpisodeBatch, StepResult
from codegym.envs.config import EnvConfig
from codegym.tasks.record import Task
from codegym.tasks.source import ListSource, TasksLike, make_task_source
from codegym.tokenizers import ByteTokenizer

Completion = str | Sequence[Mapping[str, Any]]
"""Text, or messages of a conversation."""
_FENCED = re.compile(r"^```[^\n`]*\n(.*?)(?:^```|\Z)", re.DOTALL | re.MULTILINE)


class CompletionReward:
    r"""A reward function in TRL's form: takes a batch of completions, judges all at once, gives a number for each.

    A completion is an episode in one chunk, the bytes of its text and the end of the program, so it earns what the
    environment pays for the same program in total. What the machine failed to judge is None: TRL 1 leaves it out of
    baselines and advantages, older versions counted it as 0.

        >>> from codegym import CallCheck, Task
        >>> task = Task("twice", "Double x.", (CallCheck((3,), 6),), entry_point="f", solution="f = lambda x: x * 2\n")
        >>> reward = CompletionReward(task, sandbox="fake", strip_fences=True)
        >>> answer = "So it is:\n```python\nf = lambda x: x * 2\n```"
        >>> reward(prompts=["Double x."] * 2, completions=["f = 2", answer], task_id=["twice"] * 2)
        [0.0, 1.0]

    Args:
        tasks: as in the environment; the column ``task_id`` chooses among them.
        strip_fences: where a completion has Markdown code fences, judge what stands in the last of them.
        max_tokens: budget in bytes, one for the end included; a completion is cut there.
        settings: ``reward``, ``line_scorer``, ``sandbox``, ``limits`` and ``path``, as in the environment.

    Raises:
        ValueError: a setting is out of range.
    """

    def __init__(
        self, tasks: TasksLike, *, strip_fences: bool = False, max_tokens: int = 16384, **settings: Any
    ) -> None:
        self.strip_fences = strip_fences
        self.tokenizer = ByteTokenizer()
        common: dict[str, Any] = {"tokenizer": self.tokenizer, "max_prompt_tokens": 1, "mask": None}
        self._opened = EpisodeBatch(EnvConfig(tasks, max_tokens=max_tokens, **common, **settings), 1)
        self._settings = replace(  # the same objects for every batch to come
            self._opened.config,
            tasks=self._opened.source,
            path=None,
            reward=self._opened.reward,
            sandbox=self._opened.dynamics.judge,
        )
        self.__name__ = "+".join(term.name for term, _ in self._opened.reward.terms)  # TRL logs it under this name

    def __call__(
        self, prompts: Sequence[object], completions: Sequence[Completion], task_id: Sequence[object], **columns: object
    ) -> list[float | None]:
        """Reward completions.

        Args:
            prompts: not read: the prompt of a task has no part in its verdict.
            completions: texts, or lists of messages, of which those of the assistant are joined.
            task_id: of each completion.
            columns: what else a trainer hands over; not read.

        Raises:
            KeyError: no task of that id.
        """
        return [each.reward if each.terminated else None for each in self.outcomes(completions, task_id)]

    def outcomes(self, completions: Sequence[Completion], task_id: Sequence[object]) -> list[StepResult]:
        """Judge completions and give all that there is to know: reward, and info with verdict and credit.

        Raises:
            KeyError: no task of that id.
            ValueError: not one ``task_id`` for each completion.
        """
        if len(task_id) != len(completions):
            raise ValueError(f"wanted a task_id for each of {len(completions)} completions, got {len(task_id)}")
        batch = EpisodeBatch(self._settings, len(completions))
        unused = np.random.default_rng()  # the task is chosen, none is drawn
        for slot, (completion, wanted) in enumerate(zip(completions, task_id, strict=True)):
            batch.start(slot, unused, {"task_id": wanted})
            ids = self.tokenizer.encode(self.program(completion))
            batch.dynamics.append_chunk(slot, np.array([*ids, self.tokenizer.eos_token_id]))
        batch.dynamics.close_lines(range(len(completions)))
        batch.dynamics.score(range(len(completions)))
        return [batch.outcome(slot) for slot in range(len(completions))]

    def program(self, completion: Completion) -> str:
        """Give what is judged of a completion."""
        text = completion if isinstance(completion, str) else _last_answer(completion)
        text = text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate has no bytes
        return fenced_code(text) if self.strip_fences else text

    def close(self) -> None:
        """Give back the sandbox, where this opened one."""
        self._opened.close()


def _last_answer(messages: Sequence[Mapping[str, Any]]) -> str:
    """Text of the last message of the assistant, whose content is text or a list of parts."""
    content = next((message["content"] for message in reversed(messages) if message["role"] == "assistant"), None)
    return "".join(part.get("text", "") for part in content) if isinstance(content, list) else content or ""


def fenced_code(text: str) -> str:
    r"""What stands in the last pair of Markdown code fences, or after an opened one; the text itself without any.

    >>> fenced_code("Here:\n```python\nx = 1\n```\nDone."), fenced_code("x = 1")
    ('x = 1\n', 'x = 1')
    """
    blocks = _FENCED.findall(text)
    return str(blocks[-1]) if blocks else text


def to_dataset(
    tasks: TasksLike,
    *,
    num_tasks: int | None = None,
    seed: int = 0,
    conversational: bool = False,
    path: str | None = None,
) -> list[dict[str, Any]]:
    """Rows with ``prompt`` and ``task_id``, for ``datasets.Dataset.from_list``.

    Args:
        tasks: as in the environment.
        num_tasks: draw so many; None takes each task of a data set or sequence once.
        seed: of the draws.
        conversational: make the prompt a message of a user, for models with a chat template.
        path: file of the data set.

    Raises:
        ValueError: a source without end and no ``num_tasks``.
    """
    source = make_task_source(tasks, path)
    if num_tasks is not None:
        rng = np.random.default_rng(seed)
        chosen: Sequence[Task] = [source.draw(rng) for _ in range(num_tasks)]
    elif isinstance(source, ListSource):
        chosen = source.tasks
    else:
        raise ValueError("these tasks have no end: say how many by num_tasks")
    return [{"prompt": _prompt(task, conversational), "task_id": task.task_id} for task in chosen]


def _prompt(task: Task, conversational: bool) -> str | list[dict[str, str]]:
    return [{"role": "user", "content": task.prompt}] if conversational else task.prompt

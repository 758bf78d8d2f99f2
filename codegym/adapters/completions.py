"""Adapter for sequence trainers such as TRL's GRPO and RLOO: a reward function over whole completions.

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
from codegym.envs.config import EnvConfig, check_names
from codegym.tasks.record import Task
from codegym.tasks.source import ListSource, TasksLike, make_task_source
from codegym.tokenizers import ByteTokenizer

Completion = str | Sequence[Mapping[str, Any]]
"""Text, or messages of a conversation."""
_KEYWORDS = ("reward", "line_scorer", "sandbox", "limits", "packages", "path")
_FENCED = re.compile(r"^```[^\n`]*\n(.*?)(?:^```|\Z)", re.DOTALL | re.MULTILINE)


class CompletionReward:
    r"""Reward function in TRL's form: judges a batch of completions at once and returns a number for each.

    A completion is an episode in one chunk, the bytes of its text and the end of the program, so its reward is the
    total that the environment pays for the same program. The reward of a completion that the machine could not judge is
    None: TRL 1 leaves it out of baselines and advantages, older versions counted it as 0.

        >>> from codegym import CallCheck, Task
        >>> task = Task("twice", "Double x.", (CallCheck((3,), 6),), entry_point="f", solution="f = lambda x: x * 2\n")
        >>> reward = CompletionReward(task, sandbox="fake", strip_fences=True)
        >>> answer = "So it is:\n```python\nf = lambda x: x * 2\n```"
        >>> reward(completions=["f = 2", answer], task_id=["twice"] * 2)
        [0.0, 1.0]

    Args:
        tasks: Tasks as in the environment; the column ``task_id`` chooses among them.
        strip_fences: If a completion has Markdown code fences, judge only the content of the last pair.
        max_tokens: Budget in bytes, one for the end included; a longer completion is cut.
        keywords: Keywords of the environment: ``reward``, ``line_scorer``, ``sandbox``, ``limits``, ``packages`` and
            ``path``.

    Raises:
        ValueError: A keyword has a value out of its range.
        TypeError: There is no such keyword, or its value has the wrong type.
    """

    def __init__(
        self, tasks: TasksLike, *, strip_fences: bool = False, max_tokens: int = 16384, **keywords: Any
    ) -> None:
        self.strip_fences = strip_fences
        self.tokenizer = ByteTokenizer()
        common: dict[str, Any] = {"tokenizer": self.tokenizer, "max_prompt_tokens": 1, "mask": None}
        check_names("keyword", keywords, _KEYWORDS)
        self._opened = EpisodeBatch(EnvConfig(tasks=tasks, max_tokens=max_tokens, **common, **keywords), 1)
        self._config = replace(  # the same objects for every batch to come
            self._opened.config,
            tasks=self._opened.source,
            path=None,
            reward=self._opened.reward,
            sandbox=self._opened.judge,
        )
        self.__name__ = "+".join(term.name for term, _ in self._opened.reward.terms)  # TRL logs it under this name

    def __call__(
        self, completions: Sequence[Completion], task_id: Sequence[object], **columns: object
    ) -> list[float | None]:
        """Return the reward of each completion.

        Args:
            completions: Texts, or lists of messages, of which the last one of the assistant counts.
            task_id: Id of the task of each completion.
            columns: Other columns that a trainer passes, such as ``prompts``; ignored.

        Raises:
            KeyError: There is no task of that id.
            ValueError: There is not one ``task_id`` for each completion.
        """
        return [result.reward if result.terminated else None for result in self.outcomes(completions, task_id)]

    def outcomes(self, completions: Sequence[Completion], task_id: Sequence[object]) -> list[StepResult]:
        """Return the result of each completion: its reward, and an info with verdict and credit.

        Args:
            completions: Texts, or lists of messages, of which the last one of the assistant counts.
            task_id: Id of the task of each completion.

        Raises:
            KeyError: There is no task of that id.
            ValueError: There is not one ``task_id`` for each completion.
        """
        if len(task_id) != len(completions):
            raise ValueError(
                f"wrong number of task ids: got {len(task_id)}; expected one for each of {len(completions)} completions"
            )
        batch = EpisodeBatch(self._config, len(completions))
        unused = np.random.default_rng()  # the task is chosen, none is drawn
        for slot, (completion, wanted) in enumerate(zip(completions, task_id, strict=True)):
            batch.start(slot, unused, {"task_id": wanted})
            ids = self.tokenizer.encode(self.program(completion))
            batch.append_chunk(slot, [*ids, self.tokenizer.eos_token_id])
        return batch.advance(range(len(completions)))

    def program(self, completion: Completion) -> str:
        """Return the text of ``completion`` that is judged."""
        text = completion if isinstance(completion, str) else _last_answer(completion)
        text = text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate has no bytes
        return fenced_code(text) if self.strip_fences else text

    def close(self) -> None:
        """Close the sandbox, if this object opened one."""
        self._opened.close()


def _last_answer(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of the last message of the assistant, whose content is text or a list of parts."""
    content = next((message["content"] for message in reversed(messages) if message["role"] == "assistant"), None)
    return "".join(part.get("text", "") for part in content) if isinstance(content, list) else content or ""


def fenced_code(text: str) -> str:
    r"""Return the content of the last pair of Markdown code fences in ``text``, or the text if it has none.

    A fence that is opened and not closed ends with the text.

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
    """Return rows with ``prompt`` and ``task_id``, for ``datasets.Dataset.from_list``.

    Args:
        tasks: Tasks as in the environment.
        num_tasks: Number of tasks to draw; None takes each task of a data set or sequence once.
        seed: Seed of the generator that draws them.
        conversational: Make each prompt a message of a user, for models with a chat template.
        path: File of the data set.

    Raises:
        ValueError: The source has no end, and ``num_tasks`` is None.
    """
    source = make_task_source(tasks, path)
    if num_tasks is not None:
        rng = np.random.default_rng(seed)
        chosen: Sequence[Task] = [source.draw(rng) for _ in range(num_tasks)]
    elif isinstance(source, ListSource):
        chosen = source.tasks
    else:
        raise ValueError("wrong num_tasks: got None for tasks without end; expected a number")
    return [{"prompt": _prompt(task, conversational), "task_id": task.task_id} for task in chosen]


def _prompt(task: Task, conversational: bool) -> str | list[dict[str, str]]:
    return [{"role": "user", "content": task.prompt}] if conversational else task.prompt

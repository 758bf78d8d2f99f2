"""The record that describes a data set: how a row becomes a task, its repository, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from codegym.tasks.datasets.hub import HubSource
from codegym.tasks.record import Task


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """A data set. ``read`` is all that it needs; the other fields are for environment ids and for the documentation.

        MINE = DatasetSpec(read=lambda row: Task(row.task_id("id"), row.text("question"), ...))
        gym.make("codegym/Token-v0", tasks="my_package.my_module:MINE", path="rows.jsonl")

    Args:
        read: Function from a ``Row`` to a ``Task``. Its keyword-only arguments are options of ``load_tasks``. It raises
            ``DatasetError`` or ``TaskError`` for a bad row.
        hub: Repository on the Hugging Face Hub; None if the data set is read from local files only.
        env_name: Part of the environment ids before ``Token-v0`` and ``Line-v0``, such as ``"MBPP"``.
        max_tokens: Token budget of a completion in those environments.
        max_prompt_tokens: Room for the prompt in their observations, in tokens.
        size: Number of rows.
        licence: Licence of the rows.
        homepage: Address of the paper or of the authors' repository.
        comparison: Rule that compares outputs and values with the expected ones.
        gold: Results of the data set's own solutions in the sandbox, as far as they are known.
    """

    read: Callable[..., Task]
    hub: HubSource | None = None
    env_name: str = ""
    max_tokens: int = 512
    max_prompt_tokens: int = 1024
    size: str = ""
    licence: str = ""
    homepage: str = ""
    comparison: str = ""
    gold: str = ""

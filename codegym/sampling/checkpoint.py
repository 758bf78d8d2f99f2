"""Checkpoints of training: the state of modules and optimizers, with the position in the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch


class Stateful(Protocol):
    """Part of a checkpoint: a module, an optimizer or a learning-rate schedule of PyTorch."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""

    def load_state_dict(self, state: dict[str, Any], /) -> object:
        """Set the state.

        Args:
            state: A state that ``state_dict`` returned.
        """


def save_checkpoint(file: Path, parts: Mapping[str, Any], position: Mapping[str, Any]) -> None:
    """Write a checkpoint. An interruption leaves the previous one.

    Args:
        file: File of the checkpoint; its folder is made if there is none.
        parts: Name -> module or optimizer; see ``Stateful``.
        position: Plain values beside them, such as the number of updates so far.
    """
    state = {name: part.state_dict() for name, part in parts.items()} | dict(position)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(file.name + ".part")
    torch.save(state, partial)
    partial.replace(file)


def load_checkpoint(file: Path, parts: Mapping[str, Any], key: str | None = None) -> dict[str, Any] | None:
    """Set the parts to the state in a checkpoint and return its position, None if there is no such file.

    Args:
        file: File of the checkpoint.
        parts: Name -> module or optimizer, as they were saved.
        key: Value of "key" in the position, such as a digest of the settings; None to accept every checkpoint.

    Raises:
        ValueError: The checkpoint has another key.
    """
    if not file.exists():
        return None
    state: dict[str, Any] = torch.load(file, weights_only=True)
    if key is not None and state.get("key") != key:
        raise ValueError(
            f"a checkpoint of another run: got {str(file)!r} with other settings or data; expected one of this run. "
            "Choose another folder"
        )
    for name, part in parts.items():
        part.load_state_dict(state.pop(name))
    return state

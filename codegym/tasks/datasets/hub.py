"""Rows from the Hugging Face Hub, through the package ``datasets`` (optional, imported on first use)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from codegym.errors import DatasetError


@dataclass(frozen=True, slots=True)
class HubSource:
    """Repository of a data set on the Hugging Face Hub.

    Args:
        hub_id: Id of the repository, ``owner/name``.
        split: Split that is loaded unless the user names another.
        config: Configuration of the repository; None is its default.
        builder: Format of the data files ("json", "arrow"), for repositories with a loading script, which ``datasets``
            no longer runs. Their files are then read directly.
        files: Path of those files in the repository, with ``{split}`` in it.
    """

    hub_id: str
    split: str
    config: str | None = None
    builder: str | None = None
    files: str | None = None

    def load(self, split: str | None = None) -> HubRows:
        """Download one split, or take it from the local cache.

        Args:
            split: Name of the split; None is the usual one.

        Raises:
            DatasetError: The package ``datasets`` is not installed, or the split cannot be loaded.
        """
        split = split or self.split
        try:
            table = self._load(split)
        except ImportError as error:
            raise DatasetError(
                'loading from the Hub needs the package datasets: pip install "codegym[hub]" '
                "(or pass the path of a local .jsonl, .jsonl.gz or .json file)"
            ) from error
        except Exception as error:  # the network, the cache and the builder each raise errors of their own
            raise DatasetError(f"{self.hub_id} [{split}] cannot be loaded from the Hub: {error}") from error
        return HubRows(f"{self.hub_id} [{split}]", cast("Sequence[Mapping[str, object]]", table))

    def _load(self, split: str) -> Any:
        from datasets import load_dataset  # type: ignore[import-untyped]

        if self.builder is None:
            return load_dataset(self.hub_id, self.config, split=split)
        files = f"hf://datasets/{self.hub_id}/{(self.files or '').format(split=split)}"
        return load_dataset(self.builder, data_files=files, split="train")


class HubRows:
    """Rows of a table of the package ``datasets``, which keeps them in mapped files and not in memory.

    Args:
        name: Name of the source in messages.
        table: The table; an item is one row.
    """

    def __init__(self, name: str, table: Sequence[Mapping[str, object]]) -> None:
        self.name = name
        self._table = table

    def __len__(self) -> int:
        return len(self._table)

    def line(self, index: int) -> int:
        """Return the 1-based position of the row at ``index``."""
        return index + 1

    def read(self, index: int) -> dict[str, object]:
        """Return the decoded row at ``index``."""
        return dict(self._table[index])

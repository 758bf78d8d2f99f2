"""Rows from the Hub, through the package ``datasets`` (optional, and imported only when it is needed)."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from codegym.errors import DatasetError


@dataclass(frozen=True, slots=True)
class HubSource:
    """Where a data set lies on the Hub.

    ``files`` is set for repositories that hold a loading script, which ``datasets`` no longer runs: its data files
    are then read directly, with ``{split}`` filled in.
    """

    hub_id: str
    split: str
    config: str | None = None
    builder: str | None = None
    files: str | None = None

    def load(self, split: str | None = None) -> HubRows:
        """Download (or take from the cache) one split."""
        split = split or self.split
        module = _import_datasets()
        try:
            if self.builder is None:
                table = module.load_dataset(self.hub_id, self.config, split=split)
            else:
                files = f"hf://datasets/{self.hub_id}/{(self.files or '').format(split=split)}"
                table = module.load_dataset(self.builder, data_files=files, split="train")
        except Exception as error:  # whatever the network, the cache or the builder raises: say which data set
            raise DatasetError(f"{self.hub_id} [{split}] cannot be loaded from the Hub: {error}") from error
        return HubRows(f"{self.hub_id} [{split}]", table)


class HubRows:
    """The rows of a table of ``datasets``; it lies in mapped files, not in memory."""

    def __init__(self, name: str, table: Any) -> None:  # noqa: ANN401 - the package is optional
        self.name = name
        self._table = table

    def __len__(self) -> int:
        return len(self._table)

    def line(self, index: int) -> int:
        """Give the 1-based position of a row."""
        return index + 1

    def read(self, index: int) -> dict[str, object]:
        """Decode one row."""
        return dict(self._table[index])


def _import_datasets() -> Any:  # noqa: ANN401 - the package is optional
    try:
        return importlib.import_module("datasets")
    except ImportError as error:
        raise DatasetError(
            'loading from the Hub needs the package datasets: pip install "codegym[hub]" '
            "(or give the path of a local .jsonl, .jsonl.gz or .json file)"
        ) from error

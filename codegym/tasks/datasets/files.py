"""Rows of a local file, read at byte offsets so that the file is never held in memory."""

from __future__ import annotations

import gzip
import json
import os
import re
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Protocol

from codegym.errors import DatasetError
from codegym.tasks.datasets.row import decode_json
from codegym.tasks.plain_data import describe_value

_BLANKS = re.compile(r"[ \t\r\n]*")


class Rows(Protocol):
    """Numbered rows of a named source; reading one is independent of every other."""

    @property
    def name(self) -> str:
        """Name of the source in messages."""

    def __len__(self) -> int: ...

    def line(self, index: int) -> int:
        """Return the 1-based line (or position) of a row in the source, for messages.

        Args:
            index: Index of the row, from 0.
        """

    def read(self, index: int) -> dict[str, object]:
        """Return one decoded row.

        Args:
            index: Index of the row, from 0.

        Raises:
            DatasetError: The row is not a JSON object.
        """


class FileRows:
    """Rows of a ``.jsonl``, ``.jsonl.gz`` or ``.json`` file (a list of objects).

    A ``.jsonl`` file is read in place. The other two are unpacked once into an anonymous temporary file. Reads use
    ``pread``, so threads and forked processes may share one; a pickled one opens the file again.

    Args:
        path: Path of the file.

    Raises:
        DatasetError: The file cannot be read, or its name ends otherwise.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.name = str(path)
        self._file = _open_as_lines(self.path)
        weakref.finalize(self, self._file.close)
        self._spans: list[tuple[int, int, int]] = []  # line, offset, length
        offset = 0
        for line, text in enumerate(self._file, start=1):
            if text.strip():
                self._spans.append((line, offset, len(text)))
            offset += len(text)

    def __len__(self) -> int:
        return len(self._spans)

    def line(self, index: int) -> int:
        """Return the 1-based line of a row; in a ``.json`` list its position."""
        return self._spans[index][0]

    def read(self, index: int) -> dict[str, object]:
        """Return one decoded row.

        Raises:
            DatasetError: The row is not a JSON object.
        """
        _, offset, length = self._spans[index]
        text = _read_at(self._file.fileno(), offset, length)
        try:
            row = decode_json(text.removeprefix(b"\xef\xbb\xbf"))
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"not JSON: {error}") from error
        if not isinstance(row, dict):
            raise DatasetError(f"got {describe_value(row)}, wanted a JSON object")
        return row

    def __reduce__(self) -> tuple[type[FileRows], tuple[Path]]:
        return FileRows, (self.path,)


def _read_at(descriptor: int, offset: int, length: int) -> bytes:
    parts = []
    while length > 0:
        part = os.pread(descriptor, length, offset)  # at most 2 GiB come at once
        if not part:
            raise DatasetError("the file is shorter than it was when it was opened")
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return b"".join(parts)


def _open_as_lines(path: Path) -> IO[bytes]:
    suffixes = path.name.lower()
    try:
        if suffixes.endswith(".jsonl"):
            return path.open("rb")
        if suffixes.endswith(".jsonl.gz"):
            with gzip.open(path, "rb") as packed:
                return _spool(packed)
        if suffixes.endswith(".json"):
            return _spool(_list_items(path))
    except (EOFError, gzip.BadGzipFile) as error:
        raise DatasetError(f"{path}: not a whole gzip file ({error})") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error})") from error
    raise DatasetError(f"{path}: wanted a file that ends in .jsonl, .jsonl.gz or .json")


def _list_items(path: Path) -> Iterator[bytes]:
    """Cut a JSON list into the text of its items, one a line, without encoding anything anew."""
    text = path.read_text(encoding="utf-8-sig")
    decoder = json.JSONDecoder(parse_int=str)
    at = _skip(text, 0, "[", path)
    while not text.startswith("]", at):
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{path}: not JSON: {error}") from error
        # a raw newline can only be between the tokens of JSON, never in a string
        yield text[at:end].replace("\n", " ").replace("\r", " ").encode() + b"\n"
        at = _skip(text, end, "", path)
        if not text.startswith("]", at):
            at = _skip(text, at, ",", path)


def _skip(text: str, at: int, mark: str, path: Path) -> int:
    """Return the index after ``mark`` and the blanks on both sides of it."""
    at = _BLANKS.match(text, at).end()  # type: ignore[union-attr]  # the pattern matches everywhere
    if not text.startswith(mark, at):
        raise DatasetError(
            f"{path}: got {describe_value(text[at : at + 40])}, wanted {mark!r} of a JSON list of objects"
        )
    return _BLANKS.match(text, at + len(mark)).end()  # type: ignore[union-attr]


def _spool(lines: Iterable[bytes]) -> IO[bytes]:
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the rows do
    try:
        spool.writelines(lines)
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return spool

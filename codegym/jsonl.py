r"""Append-only JSON Lines files that survive interruptions and belong to one configuration.

A run that is interrupted, even by ``kill -9``, leaves whole rows and at most one half-written line. Opened again with
the same settings, the file continues after its last whole row; with other settings it is refused:

>>> import tempfile
>>> path = Path(tempfile.mkdtemp()) / "powers.jsonl"
>>> with ResumableFile(path, {"exponent": 2}) as file:
...     for number in range(file.num_rows, 3):
...         file.append({"number": number, "power": number**2})
>>> [row["power"] for row in read_rows(path)]
[0, 1, 4]
>>> ResumableFile(path, {"exponent": 3}).open()  # doctest: +ELLIPSIS
Traceback (most recent call last):
codegym.errors.ResumeError: powers.jsonl was made with other settings: got exponent=3; expected 2. ...

The settings are kept in a card beside the file, ``powers.card.json``, together with notes such as costs and scores.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from filelock import FileLock, Timeout

from codegym.errors import DatasetError, ResumeError

_ADVICE = "Choose another place, or delete it to start anew"
_MISSING = "nothing"


class SettingsCard:
    """JSON file that records which settings some results were made with, and notes about them.

    Args:
        path: The card: ``{"settings": {...}, ...}``, with notes beside the settings.
        settings: Plain data that decides what the results are, nested as it likes.
        owner: Name of what the card belongs to, for messages; by default the path of the card.
        ignored: Names of settings that may differ between two runs, such as the device.
        defaults: Values of settings that are missing in a card of an older version.
        advice: Last sentence of the error for other settings, without the full stop.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        settings: Mapping[str, Any],
        *,
        owner: str | None = None,
        ignored: Iterable[str] = (),
        defaults: Mapping[str, Any] | None = None,
        advice: str = _ADVICE,
    ) -> None:
        self.path = Path(path)
        self.settings = _plain(settings)
        self.notes: dict[str, Any] = {}
        """What is recorded beside the settings; ``claim`` reads those of an earlier run."""
        self._owner = owner or str(path)
        self._ignored = frozenset(ignored)
        self._defaults = _plain(defaults or {})
        self._advice = advice

    def claim(self) -> None:
        """Write the card, or continue with an earlier one of the same settings.

        Raises:
            ResumeError: The card has other settings; the message names those that differ.
        """
        if changed := self.differences():
            got = ", ".join(f"{name}={now!r}" for name, (_, now) in changed.items())
            expected = ", ".join(f"{was!r}" for was, _ in changed.values())
            raise ResumeError(
                f"{self._owner} was made with other settings: got {got}; expected {expected}. {self._advice}"
            )
        self.notes = {name: value for name, value in read_card(self.path).items() if name != "settings"}
        self.note()

    def differences(self) -> dict[str, tuple[Any, Any]]:
        """Return the settings that differ from the card on disk: dotted name -> (value on the card, value now)."""
        if not self.path.exists():
            return {}
        was = dict(_flat(self._defaults | read_card(self.path).get("settings", {})))
        now = dict(_flat(self.settings))
        pairs = {name: (was.get(name, _MISSING), now.get(name, _MISSING)) for name in {**was, **now}}
        return {
            name: (old, new)
            for name, (old, new) in pairs.items()
            if old != new and name.split(".")[0] not in self._ignored
        }

    def note(self, **notes: object) -> None:
        """Add notes and write the card, all at once.

        Args:
            notes: Plain data by name; a note of the same name is replaced.
        """
        self.notes |= _plain(notes)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, json.dumps({"settings": self.settings, **self.notes}, indent=2) + "\n")


class ResumableFile:
    """Rows of JSON objects, appended one by one by one process at a time; see the module for an example.

    Args:
        path: The file, ``.jsonl``. Its card is beside it as ``.card.json``, its lock as a hidden ``.lock``.
        settings: Plain data that decides what the rows are; see ``SettingsCard``.
        ignored: Names of settings that may differ between two runs, such as the device.
        advice: Last sentence of the error for other settings, without the full stop.
        overwrite: Delete the rows and the card of an earlier run first.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        settings: Mapping[str, Any],
        *,
        ignored: Iterable[str] = (),
        advice: str = _ADVICE,
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path)
        self.num_rows = 0
        """Whole rows of the file."""
        self.card = SettingsCard(card_path(self.path), settings, owner=self.path.name, ignored=ignored, advice=advice)
        self._advice = advice
        self._overwrite = overwrite
        self._lock: FileLock | None = None
        self._file: IO[bytes] | None = None

    def open(self) -> Self:
        """Lock the file, check its card and cut off a half-written last line.

        Raises:
            ResumeError: The rows belong to other settings or have no card, or another process is writing the file.
        """
        self._lock = lock(self.path)
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def _open(self) -> None:
        if self._overwrite:
            self.path.unlink(missing_ok=True)
        self.num_rows, end = _whole_rows(self.path)
        if self.num_rows and not self.card.path.exists():
            raise ResumeError(
                f"{self.path.name} has rows of unknown settings: got no {self.card.path.name}; expected the card that "
                f"was written with them. {self._advice}"
            )
        if not self.num_rows and (self._overwrite or self.card.differences()):
            self.card.path.unlink(missing_ok=True)  # there is no result that it could belong to
        self.card.claim()
        self._file = self.path.open("ab")
        self._file.truncate(end)

    def close(self) -> None:
        """Close the file and let other processes write it."""
        if self._file is not None:
            self._file.close()
        if self._lock is not None:
            self._lock.release()
        self._file = self._lock = None

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a row; it is kept even if the process is killed right after.

        Args:
            row: Plain data by name.
        """
        assert self._file is not None, "open the file first"
        self._file.write(_line(row))
        self._file.flush()
        self.num_rows += 1

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of the file in order; rows may be appended meanwhile."""
        return read_rows(self.path)

    def replace(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Replace all rows at once: an interruption leaves either the old rows or the new ones.

        Args:
            rows: The new rows, which may be read from the old ones.
        """
        assert self._file is not None, "open the file first"
        write_atomically(self.path, map(_line, rows))
        self._file.close()
        self._file = self.path.open("ab")
        self.num_rows, _ = _whole_rows(self.path)

    def delete(self) -> None:
        """Close the file and delete it with its card and its lock."""
        for path in (self.path, self.card.path, _lock_path(self.path)):
            path.unlink(missing_ok=True)
        self.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def lock(path: str | os.PathLike[str]) -> FileLock:
    """Return a lock that this process holds until it releases it or ends.

    Args:
        path: The file or folder to lock. A hidden file beside it carries the lock and stays there.

    Raises:
        ResumeError: Another process holds the lock.
    """
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(_lock_path(place))
    try:
        held.acquire(timeout=0)
    except Timeout as error:
        raise ResumeError(
            f"{place} is in use: got a lock of another process; expected none. Wait for that process, or choose "
            "another place"
        ) from error
    return held


def _lock_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def read_rows(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file in order; a half-written last line is left out.

    Args:
        path: JSON Lines file with an object a line.

    Raises:
        DatasetError: A line is not a JSON object; the message names it.
    """
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.endswith(b"\n"):
                yield _row(line, f"{path}, line {number}")


def card_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of the card that belongs to the results at ``path``."""
    return Path(path).with_suffix(".card.json")


def read_card(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the content of a card, empty if there is none.

    Args:
        path: The card itself, such as ``card_path("labels.jsonl")``.

    Raises:
        DatasetError: The file is not a JSON object.
    """
    card = Path(path)
    return _row(card.read_bytes(), str(card)) if card.exists() else {}


def write_atomically(path: str | os.PathLike[str], content: str | Iterable[bytes]) -> None:
    """Write a file so that an interruption leaves either the old content or the new one.

    Args:
        path: File to write.
        content: Text, or pieces of bytes.
    """
    target = Path(path)
    part = target.with_name(f"{target.name}.part")
    with part.open("wb") as file:
        file.writelines([content.encode()] if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(target)


def digest(values: Iterable[object]) -> str:
    """Return a digest of plain data and records, equal in every process: 32 hexadecimal digits.

    Args:
        values: For example tasks. Sets and dicts count as equal whatever their order.
    """
    hashed = hashlib.blake2b(digest_size=16)
    for value in values:
        hashed.update(_canonical(value).encode("utf-8", "surrogatepass") + b"\n")
    return hashed.hexdigest()


def _canonical(value: object) -> str:
    """Return one text for one value; texts of different values differ."""
    if is_dataclass(value) and not isinstance(value, type):
        return _joined(type(value).__name__, [_canonical(getattr(value, field.name)) for field in fields(value)])
    if isinstance(value, Mapping):
        return _joined("dict", sorted(f"{_canonical(key)}:{_canonical(item)}" for key, item in value.items()))
    if isinstance(value, set | frozenset):
        return _joined("set", sorted(map(_canonical, value)))
    if isinstance(value, list | tuple):
        return _joined(type(value).__name__, map(_canonical, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return hex(value)  # repr refuses whole numbers of more than 4300 digits
    return repr(value)


def _joined(kind: str, parts: Iterable[str]) -> str:
    return f"{kind}({','.join(parts)})"


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings as they come back from JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(settings), default=str))
    return plain


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted names and values of nested settings."""
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(row)).encode() + b"\n"


def _row(text: bytes, place: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{place}: not JSON ({error})") from error
    if not isinstance(row, dict):
        raise DatasetError(f"{place}: got {type(row).__name__}; expected a JSON object")
    return row


def _whole_rows(path: Path) -> tuple[int, int]:
    """Return the number of whole rows, and the offset at which the last of them ends."""
    num_rows = end = 0
    if path.exists():
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    num_rows, end = num_rows + 1, end + len(line)
    return num_rows, end

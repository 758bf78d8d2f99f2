"""A row of a data set; reading a field raises an error that names it and what was expected there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codegym.errors import DatasetError
from codegym.tasks.plain_data import describe_value

_SAFE_DIGITS = 4000


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its decoded fields and its 1-based line (or position) in the source.

    Args:
        values: Decoded fields by name.
        line: Line or position of the row, from 1, for messages.
    """

    values: Mapping[str, object]
    line: int = 1

    def __contains__(self, name: object) -> bool:
        return self.values.get(str(name)) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text field, with newlines normalised.

        Args:
            name: Name of the field.
            default: Value of a missing field; None makes that an error.

        Raises:
            DatasetError: The field is missing, or is not text.
        """
        value = self.values.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.error(name, "a string")
        return unix_newlines(value)

    def texts(self, name: str) -> list[str]:
        """Return a field that is a list of texts, or such a list as JSON text; a missing one is empty.

        Args:
            name: Name of the field.

        Raises:
            DatasetError: The field has another form.
        """
        value = self.data(name)
        if value is None or value == "":
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(name, "a list of strings")
        return [unix_newlines(item) for item in value]

    def mapping(self, name: str) -> dict[str, Any]:
        """Return a field that is an object, or an object as JSON text; a missing one is empty.

        Args:
            name: Name of the field.

        Raises:
            DatasetError: The field has another form.
        """
        value = self.data(name)
        if value is None or value == "":
            return {}
        if not isinstance(value, dict):
            raise self.error(name, "an object")
        return value

    def data(self, name: str) -> object:
        """Return any field; text that looks like a JSON list or object is decoded.

        Args:
            name: Name of the field.

        Raises:
            DatasetError: The text looks like JSON and is not.
        """
        value = self.values.get(name)
        if not isinstance(value, str) or value.lstrip()[:1] not in ("[", "{"):
            return value
        try:
            return decode_json(value)
        except (ValueError, RecursionError) as error:
            raise self.error(name, f"JSON ({error})") from error

    def task_id(self, *names: str) -> str:
        """Return the first of these fields that is present, as text; else the position in the source, from 0.

        Args:
            names: Names of the fields, in order of preference.

        Raises:
            DatasetError: The field is neither text nor a whole number.
        """
        for name in names:
            value = self.values.get(name)
            if value is not None and value != "":
                if isinstance(value, bool) or not isinstance(value, str | int):
                    raise self.error(name, "a string or a whole number")
                return str(value)
        return str(self.line - 1)

    def metadata(self, *names: str) -> dict[str, object]:
        """Return those of these fields that are present and not empty, as plain JSON data.

        Args:
            names: Names of the fields.

        Raises:
            DatasetError: A field is not plain data.
        """
        values = {name: self.values[name] for name in names if self.values.get(name) not in (None, "", [], {})}
        try:
            return {name: json.loads(json.dumps(value, default=str)) for name, value in values.items()}
        except (ValueError, RecursionError, TypeError) as error:
            raise DatasetError(f"fields {', '.join(values)}: not plain data ({error})") from error

    def error(self, name: str, wanted: str) -> DatasetError:
        """Return an error about a field, for the caller to raise.

        Args:
            name: Name of the field.
            wanted: Description of what the field should hold.
        """
        if name not in self.values:
            there = ", ".join(sorted(map(str, self.values))) or "none"
            return DatasetError(f"field {name!r} is missing, wanted {wanted}; the fields are: {there}")
        return DatasetError(f"field {name!r}: got {describe_value(self.values[name])}, wanted {wanted}")


def unix_newlines(text: str) -> str:
    r"""Return ``text`` with a plain ``\n`` for every line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def decode_json(text: str | bytes) -> Any:
    """Return the value of a JSON ``text``, with whole numbers of any length (TACO has rows with more than 4300 digits).

    Raises:
        ValueError: The text is not JSON.
    """
    return json.loads(text, parse_int=_whole_number)


def _whole_number(digits: str) -> int:
    # int() refuses long digits because it is quadratic; halving is not, and leaves the process-wide limit alone
    if len(digits) <= _SAFE_DIGITS:
        return int(digits)
    if digits.startswith("-"):
        return -_whole_number(digits[1:])
    half = len(digits) // 2
    power: int = 10**half
    return _whole_number(digits[:-half]) * power + _whole_number(digits[-half:])


def truncate_partial_line(path: Path) -> None:
    """Cut off what an interruption left of the last line of a file of rows."""
    with path.open("rb+") as file:
        file.truncate(file.read().rfind(b"\n") + 1)

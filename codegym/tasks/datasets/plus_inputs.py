"""Arguments of evalplus's native format: JSON has no tuples, sets or complex numbers, so some tasks need repair.

``_REPAIRS`` restores, for each of those tasks of MBPP+, the arguments as they were before they became JSON, as
``evalplus.data.mbpp`` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codegym.errors import DatasetError
from codegym.tasks.plain_data import describe_value

Arguments = list[Any]


def restore_inputs(family: str, number: int, inputs: list[Arguments], field: str) -> list[Arguments]:
    """Return every list of arguments with its tuples, sets and complex numbers.

    Args:
        family: Data set, "humaneval" or "mbpp".
        number: Number of the task in the data set.
        inputs: Lists of arguments, as JSON has them.
        field: Name of the field, for the message.

    Raises:
        DatasetError: The arguments have another form than the task's.
    """
    repair = _REPAIRS.get(number) if family == "mbpp" else None
    if repair is None:
        return inputs
    try:
        return [repair(arguments) for arguments in inputs]
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise DatasetError(f"field {field!r}: arguments not as task {number} has them ({error})") from error


def source_of(value: object) -> str:
    """Return the Python source of a plain ``value``; ``inf`` and ``nan`` are names in it.

    Raises:
        DatasetError: The value has no source, such as a whole number of more than 4300 digits.
    """
    try:
        return repr(value)
    except (ValueError, RecursionError) as error:  # a whole number of more than 4300 digits
        raise DatasetError(f"an argument cannot be written as Python: {describe_value(value)} ({error})") from error


def _tuples(value: Any, depth: int) -> Any:
    """Return a value with tuples for the lists in its outer ``depth`` levels; -1 for all levels."""
    if depth == 0 or not isinstance(value, list):
        return value
    return tuple(_tuples(item, depth - 1) for item in value)


def _each(depth: int) -> Callable[[Arguments], Arguments]:
    return lambda arguments: [_tuples(value, depth) for value in arguments]


def _lists_of_tuples(arguments: Arguments) -> Arguments:
    return [[_tuples(item, 1) for item in value] for value in arguments]


def _first_list_of_tuples(arguments: Arguments) -> Arguments:
    return [[_tuples(item, 1) for item in arguments[0]], *arguments[1:]]


def _only(position: int) -> Callable[[Arguments], Arguments]:
    return lambda arguments: [_tuples(value, int(at == position)) for at, value in enumerate(arguments)]


def _list_of_sets(arguments: Arguments) -> Arguments:
    return [[set(item) if isinstance(item, list) and item else {} for item in arguments[0]]]


def _dict_of_tuples(arguments: Arguments) -> Arguments:
    return [{key: tuple(value) for key, value in arguments[0].items()}, *arguments[1:]]


_SHAPES: list[tuple[list[int], Callable[[Arguments], Arguments]]] = [
    ([2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424], _each(1)),
    ([429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809], _each(1)),
    ([63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780], _lists_of_tuples),
    ([75, 413, 444, 753], _first_list_of_tuples),
    ([106, 750], _only(1)),
    ([250, 307, 405, 446, 617, 720, 763, 808], _only(0)),
    ([259, 278, 401, 445], _each(2)),
    ([580, 615, 791], _each(-1)),
    ([115], _list_of_sets),
    ([722], _dict_of_tuples),
    ([124], lambda arguments: [float(arguments[0]), complex(arguments[1])]),
    ([252], lambda arguments: [complex(arguments[0])]),
]

_REPAIRS = {number: repair for numbers, repair in _SHAPES for number in numbers}

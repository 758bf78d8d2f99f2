"""Infos of a vector environment, in Gymnasium's form: an array for each key and a mask of the slots that have it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Info = dict[str, Any]


def merge_infos(slot_infos: Iterable[tuple[int, Info]], num_slots: int) -> Info:
    """Return one info for many slots, as Gymnasium's ``VectorEnv._add_info`` makes it, but column by column.

    Args:
        slot_infos: Slots with their infos; a slot has a key at most once.
        num_slots: Length of the arrays.
    """
    columns: dict[str, tuple[list[int], list[Any]]] = {}
    for slot, info in slot_infos:
        for key, value in info.items():
            column = columns.get(key)
            if column is None:
                column = columns[key] = ([], [])
            column[0].append(slot)
            column[1].append(value)
    infos: Info = {}
    for key, (slots, values) in columns.items():
        infos[key] = _merged(key, slots, values, num_slots)
        mask = infos["_" + key] = np.zeros(num_slots, np.bool_)
        mask[slots] = True
    return infos


def _merged(key: str, slots: list[int], values: list[Any], num_slots: int) -> Info | NDArray[Any]:
    """Return the values of one key as one array or dictionary; the type of the first one decides its form."""
    first = values[0]
    if key != "final_obs":
        if type(first) is dict:
            return merge_infos(zip(slots, values, strict=True), num_slots)
        if type(first) in (int, float, bool) or isinstance(first, np.ndarray):
            shape = first.shape if isinstance(first, np.ndarray) else ()
            array = np.zeros((num_slots, *shape), first.dtype if isinstance(first, np.ndarray) else type(first))
            array[slots] = values
            return array
    objects = np.full(num_slots, None, object)
    for slot, value in zip(slots, values, strict=True):  # one by one: a tuple must not be taken for a row
        objects[slot] = value
    return objects

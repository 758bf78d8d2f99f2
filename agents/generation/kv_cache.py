"""Keys and values of a batch whose rows grow by one position per step and leave one by one."""

from __future__ import annotations

from torch import Tensor

_BLOCK = 64
"""Number of positions that are allocated at once. All at the start would cost memory that short programs never use."""


class KeysAndValues:
    """The cache of one attention layer.

    Args:
        keys: Keys of the distinct prompts, [M, H, P, D].
        values: Values of the distinct prompts, [M, H, P, D].
        index: Number of the prompt of each row, [N].
    """

    def __init__(self, keys: Tensor, values: Tensor, index: Tensor) -> None:
        self.count, self.length = len(index), keys.shape[2]
        self.keys = _with_room(keys.index_select(0, index), self.length)
        self.values = _with_room(values.index_select(0, index), self.length)

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append a position and return all positions, [N, H, T, D].

        Args:
            keys: Keys of the new position, [N, H, 1, D].
            values: Values of the new position, [N, H, 1, D].
        """
        if self.length == self.keys.shape[2]:
            self.keys, self.values = (_with_room(held[: self.count], self.length) for held in (self.keys, self.values))
        self.length += 1
        self.keys[: self.count, :, self.length - 1 : self.length] = keys
        self.values[: self.count, :, self.length - 1 : self.length] = values
        return self.keys[: self.count, :, : self.length], self.values[: self.count, :, : self.length]

    def keep(self, count: int, holes: Tensor, movers: Tensor) -> None:
        """Keep ``count`` rows.

        Args:
            count: Number of rows to keep.
            holes: Indices of rows below ``count`` that have ended.
            movers: Indices of live rows from ``count`` on, which move to the holes.
        """
        for held in (self.keys, self.values):
            used = held[:, :, : self.length]
            move(used, holes, movers)
        self.count = count


def move(rows: Tensor, holes: Tensor, movers: Tensor) -> Tensor:
    """Copy the rows at ``movers`` to ``holes`` in place and return the same tensor.

    Args:
        rows: Tensor with one entry per row.
        holes: Indices to write, [K].
        movers: Indices to read, [K].
    """
    if len(holes):
        rows[holes] = rows[movers]
    return rows


def _with_room(held: Tensor, length: int) -> Tensor:
    grown = held.new_empty(*held.shape[:2], length + _BLOCK, held.shape[3])
    grown[:, :, :length] = held
    return grown

"""Batches of sequences of similar length, which need little padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence


def pack_by_length(lengths: Sequence[int], fits: Callable[[list[int], int], bool]) -> Iterator[list[int]]:
    """Yield batches of row indices in ascending order of length, each as large as it can be.

    >>> list(pack_by_length([5, 1, 4, 2], lambda batch, index: len(batch) < 2))
    [[1, 3], [2, 0]]

    Args:
        lengths: Number of tokens of each row.
        fits: Function of a batch and the index of the next row, which is at least as long as those of the batch:
            whether the row may join. A batch has at least one row.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and not fits(batch, index):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def batch_by_tokens(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Yield batches of row indices with at most ``batch_tokens`` tokens, padding included, or with a single row.

    Args:
        lengths: Number of tokens of each row.
        batch_tokens: Largest number of tokens of a batch.
    """
    return pack_by_length(lengths, lambda batch, index: lengths[index] * (len(batch) + 1) <= batch_tokens)


def bucket_by_length(order: Sequence[int], lengths: Sequence[int], batch_size: int, pool_size: int) -> list[list[int]]:
    """Return batches of row indices for an epoch in random order, with rows of similar length together.

    Rows are taken in pools, and each pool is sorted by length and cut into batches. Shuffle the batches afterwards, so
    that short rows do not come first in each pool.

    >>> bucket_by_length([2, 0, 3, 1], [5, 1, 4, 2], batch_size=2, pool_size=2)
    [[1, 3], [2, 0]]

    Args:
        order: Random permutation of the row indices.
        lengths: Number of tokens of each row.
        batch_size: Number of rows in a batch; the last batch of a pool may be smaller.
        pool_size: Number of batches that are sorted together.
    """
    size = batch_size * pool_size
    pools = [sorted(order[start : start + size], key=lengths.__getitem__) for start in range(0, len(order), size)]
    return [pool[start : start + batch_size] for pool in pools for start in range(0, len(pool), batch_size)]

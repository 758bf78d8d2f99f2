"""Batches of sequences of similar length: every row once, no batch too large, little padding."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codegym.sampling import batch_by_tokens, bucket_by_length

LENGTHS = st.lists(st.integers(1, 50), max_size=60)


def test_smallest_use():
    assert list(batch_by_tokens([5, 1, 4, 2], batch_tokens=8)) == [[1, 3], [2], [0]]


@given(LENGTHS, st.integers(1, 120))
def test_batches_hold_every_row_once_within_the_number_of_tokens(lengths, batch_tokens):
    batches = list(batch_by_tokens(lengths, batch_tokens))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= batch_tokens


@given(LENGTHS, st.integers(1, 7), st.integers(1, 4), st.randoms())
def test_buckets_hold_every_row_once_and_are_sorted_within_pools(lengths, batch_size, pool_size, random):
    order = random.sample(range(len(lengths)), len(lengths))
    batches = bucket_by_length(order, lengths, batch_size, pool_size)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(len(batch) <= batch_size for batch in batches)
    for start in range(0, len(batches), pool_size):
        pool = [lengths[index] for batch in batches[start : start + pool_size] for index in batch]
        assert pool == sorted(pool)

"""Random numbers that depend on a seed and on what they are for, and on nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive(seed: int, *purpose: object) -> int:
    """Give a seed for one purpose, such as ``derive(0, "rollout", iteration)``; other purposes get unrelated ones.

    A run that is resumed asks for the seeds of the iterations it has left, and so goes on as if never interrupted.
    """
    digest = hashlib.blake2b(repr((seed, *purpose)).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1  # torch takes 63 bits


def torch_generator(seed: int, *purpose: object) -> torch.Generator:
    """Give a generator of PyTorch for one purpose."""
    return torch.Generator().manual_seed(derive(seed, *purpose))


def numpy_generator(seed: int, *purpose: object) -> np.random.Generator:
    """Give a generator of NumPy for one purpose."""
    return np.random.default_rng(derive(seed, *purpose))


@contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """Make modules that are created inside have the same weights every time; global random state is as it was after.

    PyTorch initialises modules from its global generator, so it is borrowed for that time.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield

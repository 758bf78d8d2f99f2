"""Random numbers that depend on a seed and on what they are for, and on nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from codegym.sampling import derive_seed


def torch_generator(seed: int, *purpose: object) -> torch.Generator:
    """Give a generator of PyTorch for one purpose."""
    return torch.Generator().manual_seed(derive_seed(seed, *purpose))


def numpy_generator(seed: int, *purpose: object) -> np.random.Generator:
    """Give a generator of NumPy for one purpose."""
    return np.random.default_rng(derive_seed(seed, *purpose))


@contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """Make modules that are created inside have the same weights every time; global random state is as it was after.

    PyTorch initialises modules from its global generator, so it is borrowed for that time.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield

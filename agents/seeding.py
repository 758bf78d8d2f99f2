"""Random numbers that depend on a seed and on their purpose, and on nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from codegym.sampling import derive_seed


def torch_generator(seed: int, *purpose: object) -> torch.Generator:
    """Return a generator of PyTorch for one purpose.

    Args:
        seed: Seed of the run.
        *purpose: Texts and numbers that name the purpose.
    """
    return torch.Generator().manual_seed(derive_seed(seed, *purpose))


def numpy_generator(seed: int, *purpose: object) -> np.random.Generator:
    """Return a generator of NumPy for one purpose.

    Args:
        seed: Seed of the run.
        *purpose: Texts and numbers that name the purpose.
    """
    return np.random.default_rng(derive_seed(seed, *purpose))


@contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """Initialize modules made inside the block from ``seed``, and leave the global random state unchanged.

    PyTorch initializes modules from its global generator, which is seeded for the time of the block.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def one_thread():
    """Networks of a few hundred weights are slower in several threads, and much slower beside other work."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

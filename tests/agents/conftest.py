"""What all tests of agents share: one thread, since more make small models slower, and a run that is killed."""

from __future__ import annotations

import pytest
import torch

from agents.common.run import Run


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def kill_at(monkeypatch):
    """Call ``action`` and have it interrupted where an iteration begins."""

    def kill(iteration, action):
        collect = Run.collect

        def killed(self, number, *args, **options):
            if number == iteration:
                raise KeyboardInterrupt
            return collect(self, number, *args, **options)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Run, "collect", killed)
            action()

    return kill

"""Fixtures of all tests of agents: one thread, since more make small models slower, and a run that is killed."""

from __future__ import annotations

import pytest
import torch

from agents.common.log import SPEED
from agents.common.run import Run


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def kill_at(monkeypatch):
    """Call ``action`` and interrupt it at the beginning of an iteration."""

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


@pytest.fixture
def learning():
    """Return the rows of a run's log without the keys that depend on the speed of the machine."""

    def rows(run):
        return [{name: value for name, value in row.items() if name not in SPEED} for row in run.metrics()]

    return rows

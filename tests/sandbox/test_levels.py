"""Which level of the process back end a host gets, and the reasons that it is given for those that do not work."""

from __future__ import annotations

import pytest

from codegym.errors import SandboxError, SandboxUnavailable
from codegym.sandbox import process
from codegym.sandbox.base import Limits
from codegym.sandbox.process import ProcessSandbox, strongest_level, unavailable_reason

LIMITS = Limits(cpu_seconds=2, wall_seconds=10, memory_mb=256, processes=16, output_mb=1, temp_mb=8)


def test_strongest_level_that_works_is_taken(monkeypatch):
    monkeypatch.setattr(process, "unavailable_reason", {"root": "needs root", "user": None, "plain": None}.get)
    assert strongest_level() == "user"


def test_host_on_which_no_level_works_is_told_why(monkeypatch):
    monkeypatch.setattr(process, "unavailable_reason", lambda level: f"{level} is broken")
    with pytest.raises(SandboxUnavailable) as caught:
        ProcessSandbox(LIMITS, num_workers=1)
    reasons = "root: root is broken; user: user is broken; plain: plain is broken"
    assert str(caught.value) == f"no process sandbox can be made on this host; {reasons}"


def test_other_systems_and_users_are_told_what_they_lack(monkeypatch):
    monkeypatch.setattr(process.os, "geteuid", lambda: 1000)
    assert unavailable_reason("root") == "needs root"
    monkeypatch.setattr(process.sys, "platform", "darwin")
    assert unavailable_reason("plain") == "needs Linux, this is darwin"


@pytest.mark.parametrize(
    "error", [OSError("no memory"), SandboxUnavailable("no luck"), SandboxError("no luck")], ids=repr
)
def test_box_that_does_not_start_is_the_reason(monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(process, "start_box", fail)
    assert unavailable_reason("plain") == str(error)


def test_box_that_does_not_answer_is_the_reason(monkeypatch, tmp_path):
    (tmp_path / "__main__.py").write_text("raise SystemExit(3)")
    monkeypatch.setattr(process, "BOX", tmp_path)
    assert "Error: " in unavailable_reason("plain")  # the connection is closed or broken, as it comes


def test_words_of_a_box_that_died_are_in_the_error(monkeypatch, tmp_path):
    (tmp_path / "__main__.py").write_text("raise SystemExit('the roof is leaking')")
    monkeypatch.setattr(process, "BOX", tmp_path)
    with pytest.raises(SandboxUnavailable, match="its log ends with: the roof is leaking"):
        ProcessSandbox(LIMITS, num_workers=1, level="plain")

"""A control group limits memory and processes of a box, in both versions; who may not make one has none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codegym.sandbox import cgroup
from codegym.sandbox.base import Limits
from codegym.sandbox.cgroup import ControlGroup

LIMITS = Limits(memory_mb=100, processes=20, output_mb=16)
MEMORY = str((100 + 256 + 2 * 3 * 16) << 20)  # the program's, the box's own, and what three others printed and told
PROCESSES = str(20 + 16)


def test_a_group_is_made_with_limits_and_removed():
    group = ControlGroup.create(LIMITS)
    if group is None:
        pytest.skip("this process may not make control groups")
    texts = {file.name: file.read_text().strip() for folder in group.directories for file in folder.glob("*.max")}
    texts |= {file.name: file.read_text().strip() for file in group.directories[0].glob("memory.limit_in_bytes")}
    assert texts.get("memory.max", texts.get("memory.limit_in_bytes")) == MEMORY
    assert texts["pids.max"] == PROCESSES
    assert "oom_kill" in Path(group.events).read_text()
    group.remove()
    assert not any(folder.exists() for folder in group.directories)
    group.remove()


def test_process_that_enters_is_counted_and_killed_over_the_limit():
    group = ControlGroup.create(Limits(memory_mb=1, processes=4))
    if group is None:
        pytest.skip("this process may not make control groups")
    try:
        greedy = "x = [bytearray(1 << 20) for _ in range(1000)]"  # 1,000 MiB where 257 are allowed
        process = subprocess.run([sys.executable, "-S", "-c", greedy], preexec_fn=group.enter)
        assert process.returncode == -9
        counts = dict(line.split() for line in Path(group.events).read_text().splitlines())
        assert int(counts["oom_kill"]) >= 1
    finally:
        group.remove()
    assert not any(folder.exists() for folder in group.directories)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty folder in the place of the mounted control groups; directories in it are removed with their files."""
    monkeypatch.setattr(cgroup, "ROOT", tmp_path)
    monkeypatch.setattr(cgroup.time, "sleep", lambda seconds: None)
    return tmp_path


def make_v1(root):
    for controller in ("memory", "pids"):
        (root / controller).mkdir()


def make_v2(root):
    (root / "cgroup.controllers").write_text("memory pids")


def written(root):
    return {str(path.relative_to(root).parent): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_version_1_has_a_directory_for_each_controller(root):
    make_v1(root)
    assert cgroup.version() == 1
    group = ControlGroup.create(LIMITS)
    memory, pids = group.directories
    assert (memory.parent, pids.parent) == (root / "memory", root / "pids")
    assert memory.name == pids.name
    assert memory.name.startswith(f"codegym-{os.getpid()}-")
    assert (memory / "memory.limit_in_bytes").read_text() == MEMORY
    assert (pids / "pids.max").read_text() == PROCESSES
    assert group.events == f"{memory}/memory.oom_control"
    group.enter()
    assert {(folder / "cgroup.procs").read_text() for folder in group.directories} == {str(os.getpid())}


def test_version_2_has_one_directory(root):
    make_v2(root)
    assert cgroup.version() == 2
    group = ControlGroup.create(LIMITS)
    (folder,) = group.directories
    assert {file.name: file.read_text() for file in folder.iterdir()} == {
        "memory.max": MEMORY,
        "pids.max": PROCESSES,
        "memory.swap.max": "0",
    }
    assert group.events == f"{folder}/memory.events"


def test_host_without_control_groups_has_none(root):
    assert cgroup.version() is None
    assert ControlGroup.create(LIMITS) is None


@pytest.mark.parametrize("make", [make_v1, make_v2], ids=["version 1", "version 2"])
@pytest.mark.parametrize("refused", ["memory", "pids.max"])
def test_refused_limit_leaves_no_group(root, monkeypatch, make, refused):
    make(root)

    def write_text(path, text):
        if path.name.startswith(refused):
            raise PermissionError(path)

    monkeypatch.setattr(Path, "write_text", write_text)
    assert ControlGroup.create(LIMITS) is None
    assert ControlGroup.leftovers() == []


def test_missing_controller_leaves_no_group(root):
    (root / "memory").mkdir()
    assert ControlGroup.create(LIMITS) is None
    assert list((root / "memory").iterdir()) == []


def test_kernel_without_swap_accounting_is_fine(root, monkeypatch):
    make_v2(root)
    write_text = Path.write_text

    def refuse_swap(path, text):
        if path.name == "memory.swap.max":
            raise FileNotFoundError(path)
        return write_text(path, text)

    monkeypatch.setattr(Path, "write_text", refuse_swap)
    assert ControlGroup.create(LIMITS) is not None


def test_group_in_use_is_given_up_after_a_while(root):
    make_v2(root)
    group = ControlGroup.create(LIMITS)  # its files keep this directory from being removed, as processes do a real one
    group.remove()
    assert group.directories[0].exists()
    assert ControlGroup.leftovers() == group.directories

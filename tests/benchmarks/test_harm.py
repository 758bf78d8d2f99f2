"""Endurance and faults in small: what they call a fault, and that a short run on the process back end has none."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from rich.console import Console

from benchmarks.reliability import endurance, faults
from benchmarks.reliability.box_inspection import leftovers, own_temp_folder
from benchmarks.reliability.chaos import restart_engine
from benchmarks.reliability.endurance import Sample, find_faults
from benchmarks.reliability.known_programs import known_programs

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="boxes need Linux")
GOOD = Sample(0, 0.0, 0, 40.0, 20.0, 12.0, 12, 7, 0, 0, 0, 0, 2, 2)
NOTHING_LEFT = {"processes": 0, "files": 0}


def samples(**last: float) -> list[Sample]:
    return [*[replace(GOOD, done=10 * number) for number in range(99)], replace(GOOD, done=1000, **last)]


def test_a_run_in_which_nothing_changes_has_no_fault():
    assert find_faults(samples(), [], NOTHING_LEFT) == []


@pytest.mark.parametrize(
    "last",
    [{"server_mb": 21.1}, {"host_descriptors": 13}, {"box_processes": 1}, {"zombies": 1}, {"files": 1}],
    ids=lambda last: next(iter(last)),
)
def test_growth_and_leftovers_are_faults(last):
    (fault,) = find_faults(samples(**last), [], NOTHING_LEFT)
    assert next(iter(last)) in fault


def test_growth_of_less_than_five_percent_is_none():
    assert find_faults(samples(server_mb=20.9), [], NOTHING_LEFT) == []


def test_what_is_left_over_and_what_is_wrong_are_faults():
    assert len(find_faults(samples(), ["passed instead of timeout"], {"files": 1})) == 2


def test_the_mixture_holds_every_kind_of_program_once_each():
    programs = [*known_programs(2000)]
    assert len({known.completion for known in programs}) == 2000
    assert len({(known.task.task_id, known.status) for known in programs}) >= 8


@linux
def test_a_short_run_on_the_process_back_end_leaves_nothing_over():
    config = endurance.EnduranceOptions(programs=200, sandbox="process", recycle_after=60)
    with own_temp_folder() as folder:
        found, wrong = endurance.judge_all_programs(config, folder, Console(quiet=True))
        left = leftovers(folder, "process")
    assert wrong == []
    assert not any(left.values())
    assert found[-1].done == 200


@linux
def test_programs_get_their_verdicts_while_boxes_are_broken():
    config = faults.FaultsOptions(programs=300, sandbox="process", stopped_for_good=0)
    found = faults.judge_under_fire(config, Console(quiet=True))
    assert found["right"] + found["infrastructure failure"] == 300
    assert not any(count for what, count in found.items() if what.startswith("left over"))


def test_an_engine_that_cannot_be_told_is_not_restarted(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    assert restart_engine().startswith("not restarted")

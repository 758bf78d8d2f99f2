"""What ``tasks=`` takes: names, objects, ``module:object`` and entry points."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from codegym import StdinCheck, Task
from codegym.tasks.datasets import DatasetSpec, Row, load_tasks, save_tasks
from codegym.tasks.procedural import Arithmetic, Pipelines
from codegym.tasks.source import ListSource, TaskSource, make_task_source

ONE = Task("1", "Print 1.", (StdinCheck("", "1"),))
TWO = Task("2", "Print 2.", (StdinCheck("", "2"),))


class Doubling:
    """A task source of somebody else."""

    def draw(self, rng):
        return self.by_id(rng.integers(1, 100))

    def by_id(self, task_id):
        n = int(task_id)
        return Task(str(n), f"Print {n} times the input.", (StdinCheck("3", str(3 * n)),))


class Endless(Doubling):
    """A family: a source that is made without arguments and keeps what it was made with."""


def read(row: Row) -> Task:
    return Task(row.task_id("id"), row.text("question"), (StdinCheck("", row.text("answer")),))


MINE, LIST, SOURCE = DatasetSpec(read), [ONE, TWO], Doubling()
easy = partial(Pipelines, horizon=1)


def draw(tasks, path=None):
    return make_task_source(tasks, path).draw(np.random.default_rng(0))


def test_tasks_are_drawn_from_what_a_user_names():
    assert draw("pipelines") == draw(Pipelines()) == draw(Pipelines)
    assert draw(ONE) == draw([ONE]) == ONE


@pytest.mark.parametrize(
    ("tasks", "task_id"),
    [
        ([ONE, TWO], "2"),
        ((ONE, TWO), "1"),
        (LIST, "1"),
        (f"{__name__}:LIST", "2"),
        (f"{__name__}:ONE", "1"),
        (SOURCE, "7"),
        (f"{__name__}:SOURCE", "7"),
        (f"{__name__}:Endless", "7"),
        (Endless, "7"),
        (lambda: [ONE], "1"),
        (Arithmetic, "arithmetic:+1"),
        ("codegym.tasks.procedural:Arithmetic", "arithmetic:+1"),
        ("arithmetic", "arithmetic:+1"),
    ],
)
def test_an_object_or_its_path_is_taken_like_a_name(tasks, task_id):
    source = make_task_source(tasks)
    assert isinstance(source, TaskSource)
    assert source.by_id(task_id).task_id == task_id


def test_a_factory_of_a_family_is_called():
    assert draw(f"{__name__}:easy").metadata["horizon"] == 1


@pytest.mark.parametrize("tasks", [MINE, read, f"{__name__}:MINE", f"{__name__}:read"])
def test_a_data_set_of_somebody_else_takes_a_path(tasks, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"id": 5, "question": "q", "answer": "a"}))
    assert draw(tasks, path) == Task("5", "q", (StdinCheck("", "a"),))


def test_a_task_set_is_not_read_as_a_whole(tmp_path):
    save_tasks([ONE, TWO], tmp_path / "tasks.jsonl")
    tasks = load_tasks("jsonl", tmp_path / "tasks.jsonl")
    assert make_task_source(tasks).tasks is tasks
    assert make_task_source("jsonl", tmp_path / "tasks.jsonl").by_id(2) == TWO


OTHER = Task("1", "Print one.", (StdinCheck("", "one"),))


@pytest.mark.parametrize(
    ("tasks", "path", "error", "message"),
    [
        ("arithmetics", None, ValueError, "unknown tasks: got 'arithmetics' .did you mean 'arithmetic'"),
        ("rows.jsonl", None, ValueError, "for a file: tasks='jsonl', path='rows.jsonl'"),
        ("json:dumbs", None, ValueError, "no object 'dumbs' in 'json'"),
        ("arithmetic", "x.jsonl", ValueError, "a path without a data set: got path='x.jsonl'"),
        ([], None, ValueError, "no tasks: got an empty sequence"),
        ([{}], None, TypeError, "tasks: got a dict of 0 at index 0; expected a codegym.Task"),
        ([ONE, "2"], None, TypeError, "tasks: got the string '2' at index 1"),
        ([ONE, ONE, OTHER], None, ValueError, "different tasks at 0 and 2 with the id '1'"),
        (3, None, TypeError, "tasks: got 3; expected the name of a family"),
        (b"mbpp", None, TypeError, "tasks: got b'mbpp'"),
    ],
)
def test_anything_else_is_an_error_that_says_what_was_expected(tasks, path, error, message):
    with pytest.raises(error, match=message):
        make_task_source(tasks, path)


def test_a_task_may_be_in_a_list_more_than_once():
    assert ListSource([ONE, ONE, TWO]).by_id(1) == ONE


def test_entry_points_are_names_and_have_environments(tmp_path):
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[codegym.datasets]\nriddles = other_tasks:read\n[codegym.families]\ndoubling = other_tasks:Doubling\n"
    )
    (tmp_path / "other_tasks.py").write_text(
        "from codegym import StdinCheck, Task\n"
        "def read(row): return Task(row.text('id'), 'p', (StdinCheck('', '1'),))\n"
        "class Doubling:\n"
        "    def draw(self, rng): return self.by_id('3')\n"
        "    def by_id(self, task_id): return Task(str(task_id), 'p', (StdinCheck('', '1'),))\n"
    )
    (tmp_path / "rows.jsonl").write_text('{"id": "first"}')
    code = (
        "import sys, gymnasium as gym, codegym\n"
        "assert 'other_tasks' not in sys.modules\n"
        "env = gym.make('codegym/riddles-Token-v0', path='rows.jsonl', sandbox='fake')\n"
        "print(env.reset(seed=0)[1]['task_id'])\n"
        "env = gym.make('codegym/Line-v0', tasks='doubling', sandbox='fake')\n"
        "print(env.reset(seed=0)[1]['task_id'])\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.stdout.split() == ["first", "3"], answer.stderr

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from codegym import StdinCheck, Task
from codegym.errors import DatasetError
from codegym.tasks.datasets import (
    DATASETS,
    DatasetSpec,
    HubSource,
    Row,
    environment_keywords,
    get_dataset,
    load_tasks,
)

ROW = {"task_id": 1, "text": "t", "code": "def f(): return 1", "test_list": ["assert f() == 1"]}


class FakeDatasets(SimpleNamespace):
    """Stands for the package ``datasets``: keeps the calls and answers with one row."""

    def load_dataset(self, *args, **kwargs):
        self.calls.append((args, kwargs))
        return [ROW]


@pytest.fixture
def hub(monkeypatch):
    fake = FakeDatasets(calls=[])
    monkeypatch.setitem(sys.modules, "datasets", fake)
    return fake


def test_a_data_set_is_loaded_by_name(write):
    assert load_tasks("mbpp", write(ROW))[0].task_id == "1"


def test_every_data_set_has_a_loader():
    names = "humaneval humaneval+ mbpp mbpp-sanitized mbpp+ apps taco codecontests livecodebench jsonl"
    assert list(DATASETS) == names.split()


def test_without_a_path_rows_come_from_the_hub(hub):
    assert load_tasks("mbpp", split="test")[0].task_id == "1"
    assert hub.calls == [(("google-research-datasets/mbpp", "full"), {"split": "test"})]


def test_files_of_repositories_with_a_script_are_read_directly(hub):
    with pytest.raises(DatasetError, match=r"codeparrot/apps \[test\], line 1: field 'question' is missing"):
        load_tasks("apps", split="test")
    assert hub.calls == [(("json",), {"data_files": "hf://datasets/codeparrot/apps/test.jsonl", "split": "train"})]


def test_a_missing_package_is_an_error_with_the_line_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DatasetError, match=r'pip install "codegym\[hub\]"'):
        load_tasks("mbpp")


def test_trouble_with_the_hub_is_an_error_that_names_the_data_set(hub, monkeypatch):
    def fail(*args, **kwargs):
        raise ConnectionError("no network")

    monkeypatch.setattr(hub, "load_dataset", fail, raising=False)
    with pytest.raises(DatasetError, match=r"google-research-datasets/mbpp \[train\] cannot be loaded .*: no network"):
        load_tasks("mbpp")


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (["mbp"], {}, ValueError, "unknown data set: got 'mbp' .did you mean 'mbpp'"),
        (["jsonl"], {}, DatasetError, "'jsonl' is not on the Hub"),
        (["mbpp", "x.jsonl"], {"split": "test"}, ValueError, "a local file has no splits"),
        (["mbpp", "x.jsonl"], {"chalenge": True}, TypeError, "no option 'chalenge'; it has challenge, shown_tests"),
        (["humaneval", "x.jsonl"], {"challenge": True}, TypeError, "no option 'challenge'; it has none"),
    ],
)
def test_contradictory_arguments_are_errors(arguments, options, error, message):
    with pytest.raises(error, match=message):
        load_tasks(*arguments, **options)


def read(row: Row, *, prefix: str = "") -> Task:
    """A reader of somebody else."""
    return Task(row.task_id("id"), prefix + row.text("question"), (StdinCheck("", row.text("answer")),))


MINE = DatasetSpec(read, HubSource("mine/questions", "train"))
QUESTION = {"id": 3, "question": "q", "answer": "a"}


@pytest.mark.parametrize("dataset", [read, MINE, f"{__name__}:read", f"{__name__}:MINE"])
def test_a_data_set_of_somebody_else_is_a_reader_or_a_spec(write, dataset):
    assert load_tasks(dataset, write(QUESTION), prefix="Q: ").by_id(3).prompt == "Q: q"


def test_another_object_is_no_data_set():
    with pytest.raises(TypeError, match="no data set: got 3; expected a name, a DatasetSpec, or a function"):
        load_tasks(3)


@pytest.mark.parametrize("name", DATASETS)
def test_the_documentation_of_a_data_set_is_complete(name):
    spec = get_dataset(name)
    assert all([spec.env_name, spec.size, spec.licence, spec.comparison, spec.gold])
    assert environment_keywords()[spec.env_name] == {
        "tasks": name,
        "max_tokens": spec.max_tokens,
        "max_prompt_tokens": spec.max_prompt_tokens,
    }

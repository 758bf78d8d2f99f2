from __future__ import annotations

import dataclasses
import gzip
import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codegym.errors import DatasetError
from codegym.tasks.datasets import load_tasks, save_tasks
from codegym.tasks.datasets.plain_json import decode, encode, plain_text
from codegym.tasks.record import AssertCheck, CallCheck, StdinCheck, Task

TASK = Task("1", "Double it.", (CallCheck(((1, {2}), {3: math.inf}), None),), entry_point="f", solution="f = max")


def test_a_task_is_the_same_after_dump_and_load(tmp_path):
    save_tasks([TASK], tmp_path / "tasks.jsonl")
    tasks = load_tasks("jsonl", tmp_path / "tasks.jsonl")
    assert list(tasks) == list(load_tasks("jsonl", tmp_path / "tasks.jsonl")) == [TASK]


surrogates = st.text(st.characters(codec=None), max_size=5)
keys = st.none() | st.booleans() | st.integers() | surrogates | st.floats(allow_nan=False)
hashables = st.recursive(keys, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=2), max_leaves=4)
leaves = (
    hashables | st.floats() | st.complex_numbers() | st.binary(max_size=5) | st.integers().map(lambda n: n << 11_000)
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(hashables, inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "$int", "$dict", "é"]), inner, max_size=2)
        | st.sets(hashables, max_size=3)
    ),
    max_leaves=8,
)


def picture(value):
    """A text that tells apart whatever differs in value, type, order of a dict or sign of zero."""
    if isinstance(value, set | frozenset):
        return f"{type(value).__name__}{sorted(map(picture, value))}"
    if isinstance(value, dict):
        return f"dict{[(picture(key), picture(item)) for key, item in value.items()]}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}{list(map(picture, value))}"
    return hex(value) if type(value) is int else f"{type(value).__name__} {value!r}"


@given(values)
def test_plain_data_is_the_same_after_json(value):
    assert picture(decode(json.loads(plain_text(value)))) == picture(value)


ids = surrogates.filter(bool)
names = st.sampled_from(["f", "twice", "Solution", "é"])
json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | surrogates,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(surrogates, inner, max_size=3),
    max_leaves=4,
)


def make_tasks(checks, **fields):
    fields |= {"checks": st.lists(checks, min_size=1, max_size=3).map(tuple), "solution": st.none() | surrogates}
    metadata = st.dictionaries(surrogates, json_data, max_size=3)
    texts = dict.fromkeys(("prompt", "preamble", "comparison"), surrogates)
    return st.builds(Task, task_id=ids, metadata=metadata, **texts | fields)


examined = {
    "exports": st.tuples(names, names).map(lambda pair: (*pair, "g")),
    "examiner": st.sampled_from(["", "import math\n", "def check(candidate): assert candidate(1) == 2"]),
    "uses_candidate_types": st.booleans(),
    "entry_point": surrogates,
}
tasks = (
    make_tasks(st.builds(StdinCheck, surrogates, surrogates), entry_point=surrogates)
    | make_tasks(st.builds(CallCheck, st.lists(values, max_size=2).map(tuple), values), entry_point=names)
    | make_tasks(st.builds(AssertCheck, st.integers().map(lambda number: f"assert g({number}) == 'é'")), **examined)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(tasks, st.sampled_from(["tasks.jsonl", "tasks.jsonl.gz"]))
def test_any_task_is_the_same_after_dump_and_load(tmp_path, task, name):
    save_tasks([task], tmp_path / name)
    (again,) = load_tasks("jsonl", tmp_path / name)
    for field in dataclasses.fields(Task):
        if field.name != "checks":
            assert picture(getattr(again, field.name)) == picture(getattr(task, field.name)), field.name
    assert [type(check) for check in again.checks] == [type(check) for check in task.checks]
    for one, other in zip(again.checks, task.checks, strict=True):
        assert picture([getattr(one, n) for n in one.__slots__]) == picture(
            [getattr(other, n) for n in other.__slots__]
        )


def test_the_same_tasks_give_the_same_bytes(tmp_path):
    save_tasks([TASK], tmp_path / "a.jsonl.gz")
    save_tasks([TASK], tmp_path / "b.jsonl.gz")
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    assert json.loads(gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()))["codegym"] == 1


def test_a_dump_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "tasks.jsonl"
    save_tasks([TASK], path)
    before = path.read_bytes()
    with pytest.raises(DatasetError, match="task '2' cannot be written: got range.*, wanted plain data"):
        save_tasks([TASK, dataclasses.replace(TASK, task_id="2", checks=(CallCheck((range(3),), 1),))], path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["tasks.jsonl"]


class Whole(int):
    pass


@pytest.mark.parametrize("value", [object(), Whole(1), {1: object()}, range(3), [Ellipsis]])
def test_what_is_no_plain_data_is_an_error(value):
    with pytest.raises(DatasetError, match="wanted plain data"):
        encode(value)


def test_what_is_nested_too_deeply_is_an_error():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(DatasetError, match="nested too deeply"):
        plain_text(deep)


@pytest.mark.parametrize(
    "data", [{"$spam": 1}, {"$int": 5}, {"$int": "x"}, {"$tuple": 3}, {"$dict": [1]}, {"$set": [[1]]}]
)
def test_what_encode_never_writes_is_an_error(data):
    with pytest.raises(DatasetError):
        decode(data)


LINE = {"codegym": 1, "task_id": "1", "prompt": "p", "checks": [{"stdin": "", "stdout": ""}]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codegym": 2}, "field 'codegym': got 2, wanted 1"),
        ({"checks": []}, "task '1': no checks"),
        ({"checks": [{"stdin": ""}]}, "field 'checks': got a dict of 1, wanted objects with stdin/stdout or"),
        ({"checks": [{"stdin": 1, "stdout": ""}]}, "field 'checks': got 1, wanted text"),
        ({"checks": [{"arguments": 1, "expected": 2}]}, "arguments: got 1, wanted a list"),
        ({"checks": {}}, "field 'checks': got a dict of 0, wanted a list"),
        ({"exports": [1]}, "field 'exports': got a list of 1, wanted a list of strings"),
        ({"prompt": 3}, "field 'prompt': got 3, wanted a str"),
        ({"tests": 3}, "field 'tests' is not one of the format"),
    ],
)
def test_bad_line_is_an_error_that_names_the_field(changes, message, write):
    with pytest.raises(DatasetError, match=f"rows.jsonl, line 1: .*{message}"):
        load_tasks("jsonl", write(LINE | changes))

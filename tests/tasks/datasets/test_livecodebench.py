from __future__ import annotations

import base64
import json
import os
import pickle
import zlib

import pytest

from codegym.errors import DatasetError
from codegym.tasks.datasets import livecodebench
from codegym.tasks.datasets.livecodebench import unpickle_text
from codegym.tasks.datasets.row import Row
from codegym.tasks.record import CallCheck, StdinCheck

STARTER = "class Solution:\n    def twice(self, n: int) -> int:\n        "


def case(given, wanted, kind="stdin"):
    return {"input": given, "output": wanted, "testtype": kind}


def packed(value):
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


def row(public=(), private="[]", **changes):
    fields = {
        "question_id": "abc_1",
        "question_content": "Double it.",
        "public_test_cases": json.dumps(public or [case("1\n", "2\n")]),
        "private_test_cases": private,
        "metadata": "{}",
        "starter_code": "",
        "contest_date": "2024-01-01T00:00:00",
    }
    return Row(fields | changes)


def test_rows_for_standard_input():
    task = livecodebench.read(row(private=json.dumps([case("2\r\n", "4")])))
    assert task.checks == (StdinCheck("1\n", "2\n"), StdinCheck("2\n", "4"))
    assert (task.task_id, task.comparison, task.preamble) == ("abc_1", "livecodebench", "")
    assert task.metadata == {"contest_date": "2024-01-01T00:00:00", "num_shown": 1}
    assert task.prompt.startswith("### Question:\nDouble it.\n") and task.prompt.endswith("### Answer:\n")


def test_rows_for_calls():
    public = [case('1\n{"a": [2]}', "[3]", "functional")]
    task = livecodebench.read(row(public, metadata='{"func_name": "twice"}', starter_code=STARTER))
    assert task.checks == (CallCheck((1, {"a": [2]}), [3]),)
    assert task.entry_point == "Solution.twice"
    assert "List" in dir(__import__("typing")) and "from typing import *" in task.preamble
    assert STARTER.strip() in task.prompt


@pytest.mark.parametrize("value", [json.dumps([case("5", "10")]), json.dumps([case("5", "10")]).encode()])
def test_packed_private_tests_are_unpacked(value):
    assert livecodebench.read(row(private=packed(value))).checks[-1] == StdinCheck("5", "10")


class Evil:
    def __reduce__(self):
        return os.mkdir, ("should-not-exist",)


@pytest.mark.parametrize("value", [Evil(), [Evil()], ["[]"], {"a": 1}, 5, ("a", "b"), os.path.join])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_of_anything_but_a_text_is_never_run(value, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="the pickle ha"):
        unpickle_text(pickle.dumps(value, protocol))
    with pytest.raises(DatasetError, match="field 'private_test_cases': .* wanted JSON text, plain or packed"):
        livecodebench.read(row(private=packed(value)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("text", ["", "a", "ä\n" * 200, "x" * 70_000])
def test_text_of_any_protocol_is_read(text, protocol):
    assert unpickle_text(pickle.dumps(text, protocol)) == text


def test_pickles_that_are_cut_short_are_errors():
    for length in range(len(pickle.dumps("abc"))):
        with pytest.raises(ValueError):
            unpickle_text(pickle.dumps("abc")[:length])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"public_test_cases": "[]"}, "got no tests, wanted at least one"),
        ({"public_test_cases": "x"}, "field 'public_test_cases': got the string 'x', wanted a list"),
        ({"public_test_cases": '[{"input": "1"}]'}, "a test: got a dict of 1, wanted an object with the texts"),
        ({"public": [case("1", "2", "mail")]}, "testtype: got 'mail'"),
        ({"public": [case("1", "2", "functional")]}, "field 'metadata': got no func_name"),
        ({"public": [case("x", "2", "functional")], "metadata": '{"func_name": "f"}'}, "functional test is not JSON"),
        ({"private": "not base64"}, "field 'private_test_cases': got the string"),
        ({"private": base64.b64encode(zlib.compress(b"x" * 9)[:-1]).decode()}, "field 'private_test_cases'"),
    ],
)
def test_bad_field_is_named(changes, message):
    with pytest.raises(DatasetError, match=message):
        livecodebench.read(row(**changes))

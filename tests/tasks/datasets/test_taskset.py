from __future__ import annotations

import gzip
import json
import os
import pickle
import threading
import tracemalloc
import warnings

import pytest

from codegym.errors import DatasetError
from codegym.tasks.datasets import TaskSet, load_tasks
from codegym.tasks.datasets.files import FileRows


def row(number, prompt="p"):
    return {"codegym": 1, "task_id": str(number), "prompt": prompt, "checks": [{"stdin": "", "stdout": ""}]}


def test_a_task_set_is_a_sequence_of_tasks(write):
    tasks = load_tasks("jsonl", write(row(1), row(2), row(3)))
    assert (len(tasks), tasks.ids) == (3, ("1", "2", "3"))
    assert [task.task_id for task in tasks] == ["1", "2", "3"]
    assert tasks[-1] == tasks.by_id("3") == tasks.by_id(3)
    assert repr(tasks).startswith("<TaskSet of 3 tasks from ")


def test_a_slice_is_a_task_set(write):
    tasks = load_tasks("jsonl", write(*map(row, range(9))))[2:8:2]
    assert isinstance(tasks, TaskSet)
    assert tasks.ids == ("2", "4", "6")
    assert tasks[1].task_id == "4"
    with pytest.raises(KeyError, match="no task 3 among 3 of"):
        tasks.by_id(3)
    with pytest.raises(IndexError):
        tasks[3]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.json"])
def test_every_kind_of_file_gives_the_same_tasks(tmp_path, name):
    rows = [row(number, prompt="é\n" * number) for number in range(5)]
    lines = "\n".join(map(json.dumps, rows)).encode()  # no newline at the end
    text = {
        "rows.jsonl": lines,
        "rows.jsonl.gz": gzip.compress(lines, mtime=0),
        "rows.json": json.dumps(rows, indent=1).encode(),
    }
    (tmp_path / name).write_bytes(text[name])
    tasks = load_tasks("jsonl", tmp_path / name)
    assert [task.prompt for task in tasks] == ["é\n" * number for number in range(5)]


def test_blank_lines_and_byte_order_marks_are_no_rows(write):
    tasks = load_tasks("jsonl", write("\ufeff" + json.dumps(row(1)), "", json.dumps(row(2)) + "\r"))
    assert tasks.ids == ("1", "2")


def test_whole_numbers_of_any_length_survive_a_json_list(tmp_path):
    (tmp_path / "rows.json").write_text('[ {"a": %s}\n, {"a": 1} ]' % ("9" * 9000))
    assert [FileRows(tmp_path / "rows.json").read(at)["a"] for at in (0, 1)] == [10**9000 - 1, 1]


def test_memory_does_not_grow_with_the_file(write):
    path = write(*(row(number, prompt="x" * 20_000) for number in range(500)))  # 10 MB
    tracemalloc.start()
    try:
        assert sum(len(task.prompt) for task in load_tasks("jsonl", path)) == 10_000_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_bad_row_is_an_error_that_names_file_line_and_field(write):
    path = write(row(1), "", row(2, prompt=7))
    with pytest.raises(DatasetError, match=r"rows.jsonl, line 3: field 'prompt': got 7, wanted a str$"):
        load_tasks("jsonl", path)


@pytest.mark.parametrize(
    ("line", "message"),
    [("{", "not JSON"), ("[1]", "got a list of 1, wanted a JSON object"), ("[" * 99_999, "not JSON")],
)
def test_a_line_that_is_no_object_is_an_error(write, line, message):
    with pytest.raises(DatasetError, match=f"rows.jsonl, line 2: {message}"):
        load_tasks("jsonl", write(row(1), line))


def test_bad_rows_can_be_left_out_with_one_warning(write):
    path = write(row(1), "{", row(2), row(3) | {"checks": []}, row(2))
    with pytest.warns(UserWarning, match="3 of 5 rows were left out, the first because of: .*line 2") as caught:
        tasks = load_tasks("jsonl", path, strict=False)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert tasks.ids == ("1", "2")
    assert [line for line, _ in tasks.rejected_rows] == [2, 4, 5]
    assert "no checks" in tasks.rejected_rows[1][1]
    assert "task id '2' is already that of line 3" in tasks.rejected_rows[2][1]


def test_good_rows_warn_of_nothing(write):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_tasks("jsonl", write(row(1)), strict=False).rejected_rows == []


def test_limit_counts_tasks(write):
    with pytest.warns(UserWarning, match="1 of 3 rows"):
        tasks = load_tasks("jsonl", write("{", row(1), row(2), row(3)), strict=False, limit=2)
    assert tasks.ids == ("1", "2")
    with pytest.raises(ValueError, match="limit must be above 0, got 0"):
        load_tasks("jsonl", write(row(1)), limit=0)


def test_a_file_without_tasks_is_an_error(write):
    with pytest.raises(DatasetError, match="not one task in 0 rows"):
        load_tasks("jsonl", write())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv", b"", "wanted a file that ends in .jsonl"),
        ("rows.jsonl.gz", b"{}", "not a whole gzip file"),
        ("rows.jsonl.gz", gzip.compress(b"{}" * 99, mtime=0)[:-9], "not a whole gzip file"),
        ("rows.json", b'{"a": 1}', r"wanted '\['"),
        ("rows.json", b'[{"a": 1} {"b": 2}]', "wanted ','"),
        ("rows.json", b'[{"a": 1}', "wanted ','"),
        ("rows.json", b"[nope]", "not JSON"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        load_tasks("jsonl", tmp_path / name)


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DatasetError, match=r"gone.jsonl: cannot be read \(No such file"):
        load_tasks("jsonl", tmp_path / "gone.jsonl")


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_task_sets_can_be_pickled_and_shared_by_threads(tmp_path, name):
    lines = "\n".join(json.dumps(row(number, prompt=str(number) * 500)) for number in range(50)).encode()
    (tmp_path / name).write_bytes(gzip.compress(lines, mtime=0) if name.endswith("gz") else lines)
    tasks = pickle.loads(pickle.dumps(load_tasks("jsonl", tmp_path / name)))
    wrong = []

    def read_all():
        wrong.extend(task for task in tasks if task.prompt != task.task_id * 500)

    threads = [threading.Thread(target=read_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_files_are_closed_with_their_task_set(write):
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(20):
        load_tasks("jsonl", write(row(1)))
    after = len(os.listdir("/proc/self/fd")) if before else 0
    assert after <= before + 1

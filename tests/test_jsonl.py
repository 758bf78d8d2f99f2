"""``codegym.jsonl``: rows survive any interruption, and belong to the settings that made them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegym import CallCheck, DatasetError, Task
from codegym.errors import ResumeError
from codegym.jsonl import ResumableFile, SettingsCard, card_path, digest, lock, read_card, read_rows

SETTINGS = {"seed": 0, "limits": {"cpu_seconds": 2, "memory_mb": 256}, "device": "cpu"}


def write(path: Path, rows: list[dict[str, Any]], **options: Any) -> None:
    """Write the rows that the file lacks, as every program that resumes does."""
    with ResumableFile(path, SETTINGS, **options) as file:
        for row in rows[file.num_rows :]:
            file.append(row)


def test_rows_are_appended_and_the_card_has_settings_and_notes(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.jsonl"
    with ResumableFile(path, SETTINGS) as file:
        file.append({"number": 1, "text": "ä\n"})
        file.card.note(tokens=12)
    assert path.read_bytes() == b'{"number": 1, "text": "\\u00e4\\n"}\n'
    assert list(read_rows(path)) == [{"number": 1, "text": "ä\n"}]
    assert read_card(card_path(path)) == {"settings": SETTINGS, "tokens": 12}
    with ResumableFile(path, SETTINGS) as file:
        assert file.num_rows == 1 and file.card.notes == {"tokens": 12}


ROW = st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.floats() | st.text(max_size=9), max_size=3)


@given(rows=st.lists(ROW, max_size=6), cuts=st.lists(st.integers(0, 400), max_size=4))
def test_any_interruption_at_any_byte_ends_with_the_same_file(rows: list[dict], cuts: list[int]) -> None:
    with TemporaryDirectory() as folder:
        path, whole = Path(folder, "rows.jsonl"), Path(folder, "whole.jsonl")
        write(whole, rows)
        for cut in cuts:
            write(path, rows)
            os.truncate(path, min(cut, path.stat().st_size))  # a killed process leaves any beginning of the file
        write(path, rows)
        assert path.read_bytes() == whole.read_bytes()


KILLED = """
import sys
from codegym.jsonl import ResumableFile
with ResumableFile(sys.argv[1], {"seed": 0}) as file:
    for number in range(file.num_rows, 10**9):
        file.append({"number": number, "text": "x" * 1000})
        file.card.note(last=number)
"""


def test_killed_process_leaves_whole_rows_and_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", KILLED, path], cwd=Path(__file__).resolve().parents[1])
        before = path.stat().st_size if path.exists() else 0
        deadline = time.monotonic() + 30
        while not path.exists() or path.stat().st_size < before + 10_000:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        with pytest.raises(ResumeError, match=r"rows.jsonl is in use"):
            ResumableFile(path, {"seed": 0}).open()
        process.send_signal(signal.SIGKILL)
        process.wait()
    with ResumableFile(path, {"seed": 0}) as file:
        assert [row["number"] for row in file.rows()] == list(range(file.num_rows))
        assert file.card.notes["last"] in (file.num_rows - 1, file.num_rows - 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "rows.jsonl was made with other settings: got seed=1; expected 0. Choose"),
        ({"limits": {"cpu_seconds": 3, "memory_mb": 256}}, r"got limits.cpu_seconds=3; expected 2\."),
        ({"packages": ["numpy"]}, r"got packages=\['numpy'\]; expected 'nothing'"),
        ({"seed": 1, "limits": {}}, "got seed=1, limits.cpu_seconds='nothing'"),
    ],
)
def test_other_settings_are_refused_by_name(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "rows.jsonl"
    write(path, [{"a": 1}])
    before = path.read_bytes(), card_path(path).read_bytes()
    with pytest.raises(ResumeError, match=message):
        ResumableFile(path, SETTINGS | change).open()
    assert (path.read_bytes(), card_path(path).read_bytes()) == before
    with ResumableFile(path, SETTINGS | change, overwrite=True) as file:
        assert file.num_rows == 0 and file.card.settings == SETTINGS | change


def test_ignored_settings_may_differ_and_the_last_ones_are_recorded(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write(path, [{"a": 1}])
    with ResumableFile(path, SETTINGS | {"device": "cuda"}, ignored=["device"]) as file:
        assert file.num_rows == 1
    assert read_card(card_path(path))["settings"]["device"] == "cuda"


def test_card_without_rows_claims_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write(path, [])
    with ResumableFile(path, {"seed": 7}) as file:  # the earlier run ended before its first result
        assert file.card.settings == {"seed": 7}


def test_rows_without_a_card_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n')
    with pytest.raises(ResumeError, match=r"got no rows.card.json"):
        ResumableFile(path, SETTINGS).open()


def test_missing_setting_of_an_old_card_was_the_default(tmp_path: Path) -> None:
    SettingsCard(tmp_path / "config.json", {"seed": 0}).claim()
    SettingsCard(tmp_path / "config.json", {"seed": 0, "gamma": 1.0}, defaults={"gamma": 1.0}).claim()
    with pytest.raises(ResumeError, match=r"got gamma=0.9; expected 1.0. Use another folder"):
        SettingsCard(tmp_path / "config.json", {"seed": 0, "gamma": 0.9}, advice="Use another folder").claim()


def test_all_rows_are_replaced_at_once(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with ResumableFile(path, SETTINGS) as file:
        for number in range(3):
            file.append({"number": number})
        file.replace({"number": -row["number"]} for row in file.rows())
        file.append({"number": 3})
        assert file.num_rows == 4
    assert [row["number"] for row in read_rows(path)] == [0, -1, -2, 3]
    assert sorted(file.name for file in tmp_path.iterdir()) == [".rows.jsonl.lock", "rows.card.json", "rows.jsonl"]


def test_lock_is_for_one_process_until_it_is_released(tmp_path: Path) -> None:
    held = lock(tmp_path / "run")
    with pytest.raises(ResumeError, match="is in use"):
        lock(tmp_path / "run")
    held.release()
    lock(tmp_path / "run").release()


@pytest.mark.parametrize("line", ["{", "[1]", '{"a": 1} {}'])
def test_bad_row_names_file_and_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"a": 1}}\n{line}\n')
    with pytest.raises(DatasetError, match=r"rows.jsonl, line 2: "):
        list(read_rows(path))


def test_digest_is_of_values_and_not_of_their_order_in_memory() -> None:
    task = Task("a", "p", (CallCheck(({3, 1, 2},), 10**5000),), entry_point="f", metadata={"x": 1, "y": 2})
    same = Task("a", "p", (CallCheck(({1, 2, 3},), 10**5000),), entry_point="f", metadata={"y": 2, "x": 1})
    assert digest([task]) == digest([same])
    others = [
        [task, task],
        [],
        [Task("a", "p", (CallCheck(({1, 2},), 0),), entry_point="f")],
        ["a"],
        ["a", "b"],
        ["ab"],
    ]
    assert len({digest(values) for values in [[task], *others]}) == 7
    code = "from codegym.jsonl import digest; print(digest([{'a', 'b', 'c'}, 1.5, True, None, ('x',), b'y']))"
    command = [sys.executable, "-c", code]
    seeds = [{**os.environ, "PYTHONHASHSEED": seed} for seed in "12"]
    root = Path(__file__).resolve().parents[1]
    printed = {subprocess.run(command, cwd=root, env=env, capture_output=True, check=True).stdout for env in seeds}
    assert len(printed) == 1

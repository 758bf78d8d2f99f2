"""Line scorers by name, by path and by folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegym.scorers import FakeLineScorer, make_line_scorer


class Constant:
    def score(self, requests):
        return [[0.5] * len(request.indices) for request in requests]


CONSTANT = Constant()
NO_SCORER = 7


def make_nothing() -> None:
    return None


def test_smallest_use():
    assert isinstance(make_line_scorer("fake"), FakeLineScorer)


@pytest.mark.parametrize("name", ["Constant", "CONSTANT"])
def test_scorers_of_other_modules(name, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    assert type(make_line_scorer(f"scorers.test_registry:{name}")).__name__ == "Constant"


def test_objects_are_returned_as_they_are():
    assert make_line_scorer(CONSTANT) is CONSTANT and make_line_scorer(None) is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("fakes", "unknown line scorer: got 'fakes' .did you mean 'fake'"),
        ("runs/no_such_model", "no folder of a process reward model: got 'runs/no_such_model'; expected a folder"),
        (Path("runs/no_such_model"), "no folder of a process reward model"),
        ("prm", "a process reward model needs its folder"),
        ("scorers.test_registry:make_nothing", "got None; expected an object with score"),
        ("scorers.test_registry:NO_SCORER", "got 7; expected an object with score"),
        (7, "wrong line scorer: got 7; expected a name"),
        (Constant, "wrong line scorer: got <class"),
    ],
)
def test_what_is_wrong_is_named(value, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    with pytest.raises(ValueError, match=message):
        make_line_scorer(value)


def test_a_folder_without_a_model_is_refused(tmp_path):
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match="no process reward model: got .* without prm.json"):
        make_line_scorer(tmp_path)

"""One door for plug-ins: a table's own names, entry points of other distributions, and "module:object"."""

from __future__ import annotations

import sys
import types
from collections import OrderedDict
from pathlib import Path

import pytest

from codegym.plugins import Plugins, lazy_exports, load_object, suggest


def test_a_table_of_plug_ins_in_short():
    table = Plugins("mapping", "codegym.tests", {"plain": dict, "ordered": "collections:OrderedDict"})
    assert table["plain"] is dict
    assert table.get_plugin("ordered") is OrderedDict
    assert table.get_plugin("builtins:list") is list
    assert list(table) == ["plain", "ordered"]


def test_an_unknown_name_is_answered_with_the_names_there_are():
    table = Plugins("mapping", "codegym.tests", {"plain": dict})
    with pytest.raises(
        ValueError, match=r"unknown mapping: got 'plian' \(did you mean 'plain'\?\); expected one of plain"
    ):
        table.get_plugin("plian")


def test_a_table_imports_only_what_is_used():
    table = Plugins("thing", "codegym.tests", {"missing": "no_such_module_at_all:x"})
    assert "missing" in table
    assert len(table) == 1
    with pytest.raises(ValueError, match="no module 'no_such_module_at_all'"):
        table["missing"]


def test_an_entry_point_of_another_distribution_is_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[codegym.tests]\nmine = other_plugin:MINE\nplain = other_plugin:MINE\n")
    (tmp_path / "other_plugin.py").write_text("MINE = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    table = Plugins[object]("number", "codegym.tests", {"plain": 1})
    assert (table["mine"], table["plain"]) == (3, 1)  # an entry point cannot replace a name of the table
    assert list(table) == ["plain", "mine"]
    sys.modules.pop("other_plugin")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("json", "expected 'package.module:object'"),
        (":x", "expected 'package.module:object'"),
        ("json:dumbs", r"no object 'dumbs' in 'json': got 'json:dumbs' \(did you mean 'dumps'\?\)"),
        ("json.none:x", "no module 'json.none'"),
    ],
)
def test_a_wrong_path_says_what_is_wrong(path: str, message: str):
    with pytest.raises(ValueError, match=message):
        load_object(path)


def test_dots_after_the_colon_name_attributes():
    assert load_object("os:path.join") is __import__("os").path.join


def test_a_module_that_fails_raises_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "needs_another.py").write_text("import not_there_either\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="not_there_either"):
        load_object("needs_another:x")


def test_suggest_is_silent_if_nothing_is_alike():
    assert suggest("zzz", ["abc"]) == ""


def test_a_package_imports_a_name_on_first_use(monkeypatch: pytest.MonkeyPatch):
    package = types.ModuleType("lazy_package")
    monkeypatch.setitem(sys.modules, "lazy_package", package)
    package.__getattr__, package.__dir__ = lazy_exports(
        "lazy_package", ["Ordered"], {"Ordered": "collections:OrderedDict"}
    )
    assert "Ordered" not in vars(package)
    assert "Ordered" in dir(package)
    assert package.Ordered is OrderedDict
    assert vars(package)["Ordered"] is OrderedDict  # found without asking again
    with pytest.raises(AttributeError, match=r"no attribute 'Orderd' \(did you mean 'Ordered'\?\)"):
        getattr(package, "Orderd")  # noqa: B009 - the attribute is missing on purpose

"""The pages that are generated from the tables hold every name of the tables."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Mapping
from types import ModuleType

import gymnasium as gym
import pytest
from helpers.examples import ROOT

from codegym.rewards import REWARDS
from codegym.tasks.datasets import DATASETS
from codegym.tasks.procedural import FAMILIES

PAGES = ("rewards", "datasets", "families")


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("page", "table"), [("rewards", REWARDS), ("datasets", DATASETS), ("families", FAMILIES)], ids=PAGES
)
def test_page_holds_every_name(reference: ModuleType, page: str, table: Mapping[str, object]) -> None:
    text = "\n".join(reference.PAGES[page]())
    assert [name for name in table if f"\n## {name}\n" not in text] == []


def test_environments_hold_every_id(reference: ModuleType) -> None:
    text = "\n".join(reference.PAGES["environments"]())
    ids = [spec.id for spec in gym.registry.values() if spec.namespace == "codegym"]
    assert ids
    assert [name for name in ids if f"| `{name}` |" not in text] == []


def test_commands_show_their_help(reference: ModuleType) -> None:
    text = "\n".join(reference.PAGES["commands"]())
    assert "usage: codegym judge" in text
    assert "--tasks" in text
    assert "\x1b" not in text


def test_every_reward_has_formula_range_source_and_known_hacks() -> None:
    labels = ("Formula:", "Range:", "Source:", "Known hacks:")
    docs = {name: inspect.getdoc(factory) or "" for name, factory in REWARDS.items()}
    assert [(name, label) for name, doc in docs.items() for label in labels if f"\n{label} " not in doc] == []


def test_every_data_set_has_size_licence_rule_and_gold_fidelity() -> None:
    missing = [
        name for name, spec in DATASETS.items() if not (spec.size and spec.licence and spec.comparison and spec.gold)
    ]
    assert missing == []

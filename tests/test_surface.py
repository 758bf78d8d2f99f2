"""The public surface: what README, docs and notebooks import from codegym, and nothing without a docstring."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import codegym

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("examples/*.py")]
IMPORT = re.compile(r"from codegym import (\([^)]*\)|[\w, ]+)")


@pytest.mark.parametrize("name", codegym.__all__)
def test_a_public_name_exists_and_is_documented(name: str) -> None:
    value = getattr(codegym, name)
    assert isinstance(value, str) or len((value.__doc__ or "").split()) > 2
    assert name in dir(codegym)


def test_the_surface_is_small_and_sorted() -> None:
    assert len(codegym.__all__) <= 36
    assert codegym.__all__ == sorted(codegym.__all__)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_import_nothing_else_from_the_top(page: Path) -> None:
    found = {name for match in IMPORT.finditer(page.read_text("utf-8")) for name in re.findall(r"\w+", match[1])}
    assert found <= {*codegym.__all__}


def test_a_typo_is_answered_by_the_name_that_was_meant() -> None:
    with pytest.raises(AttributeError, match="no attribute 'TokenEnvs' .did you mean 'TokenEnv'"):
        codegym.TokenEnvs  # noqa: B018 - the access is the test


def test_a_checkout_that_is_not_installed_has_a_version() -> None:
    code = "import importlib.metadata as m, sys; m.version = lambda name: (_ for _ in ()).throw(m.PackageNotFoundError)"
    code += "; import codegym; print(codegym.__version__)"
    finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "0+checkout"

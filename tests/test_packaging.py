"""The wheel holds codegym and nothing else of the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "runs")


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    checkout = tmp_path_factory.mktemp("build") / "checkout"  # a copy: building leaves folders behind
    shutil.copytree(ROOT, checkout, ignore=LEFT_OUT)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-index", "--no-build-isolation", "--no-deps", "-w", "wheels", "."]
    done = subprocess.run(pip, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = checkout.glob("wheels/*.whl")
    return zipfile.ZipFile(wheel).namelist()


def test_wheel_holds_only_codegym(wheel_names: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel_names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"codegym"}
    assert len(tops) == 2


def test_wheel_holds_every_module_the_box_and_the_type_marker(wheel_names: list[str]) -> None:
    modules = {file.relative_to(ROOT).as_posix() for file in ROOT.glob("codegym/**/*.py")}
    assert modules | {"codegym/py.typed", "codegym/render/page.html"} <= set(wheel_names)
    assert "codegym/sandbox/box/__main__.py" in wheel_names


def test_wheel_has_the_command_and_the_licence(wheel_names: list[str]) -> None:
    ends = {name.partition(".dist-info/")[2] for name in wheel_names if ".dist-info/" in name}
    assert "entry_points.txt" in ends
    assert any(end.endswith("LICENSE") for end in ends)

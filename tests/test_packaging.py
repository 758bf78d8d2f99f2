"""The wheel holds codegym and nothing else of the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "runs")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the checkout to a folder named ``codegym``, since building leaves folders behind."""
    folder = tmp_path_factory.mktemp("build") / "codegym"
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    return folder


def run_python(*arguments: str, cwd: Path) -> str:
    """Return the output of an interpreter that finds no checkout by ``PYTHONPATH``."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel_names(clone: Path) -> list[str]:
    options = ["--no-index", "--no-build-isolation", "--no-deps"]
    run_python("-m", "pip", "wheel", *options, "-w", "wheels", ".", cwd=clone)
    (wheel,) = clone.glob("wheels/*.whl")
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


def test_editable_install_wins_beside_a_clone_named_codegym(clone: Path, tmp_path: Path) -> None:
    build = f"from setuptools import build_meta; build_meta.build_editable({str(tmp_path)!r})"
    run_python("-c", build, cwd=clone)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site-packages")
    # -S: no other editable install is in the way. The current folder comes first and holds the folder "codegym".
    find = (
        "import importlib.util, site, sys; site.addsitedir(sys.argv[1]);"
        "print(importlib.util.find_spec('codegym').origin)"
    )
    found = run_python("-S", "-c", find, str(tmp_path / "site-packages"), cwd=clone.parent)
    assert found.strip() == str(clone / "codegym" / "__init__.py")

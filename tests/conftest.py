"""What all tests share: Docker tests run, are skipped or fail by one rule; hypothesis; the data sets on disk."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from codegym.errors import SandboxError
from codegym.sandbox.docker import engine

ROOT = Path(__file__).resolve().parents[1]

# Explaining a failure traces every line of every example, which makes all of them many times slower.
PHASES = [phase for phase in Phase if phase is not Phase.explain]
settings.register_profile("here", deadline=None, phases=PHASES)
settings.register_profile("ci", deadline=None, phases=PHASES, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@functools.cache
def missing_engine() -> str | None:
    """Why no Docker engine can be used, None where one answers."""
    try:
        with engine() as client:
            client.ping()
    except SandboxError as error:
        return str(error)
    return None


# They count processes that are there, or measure limits that another busy process would blur.
QUIET = [
    ROOT / "tests" / place
    for place in (
        "sandbox",
        "benchmarks/test_harm.py",
        "envs/test_real.py",
        "envs/test_failures.py",
    )
]


def is_quiet(path: Path) -> bool:
    return any(path.is_relative_to(place) for place in QUIET)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import what the marker would leave nothing of."""
    leads_to_quiet = any(place.is_relative_to(collection_path) for place in QUIET)
    match config.option.markexpr:
        case "quiet":
            return None if is_quiet(collection_path) or leads_to_quiet else True
        case "not quiet":
            return is_quiet(collection_path) or None
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if is_quiet(item.path):
            item.add_marker(pytest.mark.quiet)


def pytest_report_header() -> str:
    return f"docker: {missing_engine() or 'an engine answers'}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("docker") is None or (reason := missing_engine()) is None:
        return
    if os.environ.get("CODEGYM_REQUIRE_DOCKER") == "1":
        pytest.fail(f"CODEGYM_REQUIRE_DOCKER=1, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with data sets beside the checkout; small excerpts, not part of it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no data sets in {folder}")
    return folder

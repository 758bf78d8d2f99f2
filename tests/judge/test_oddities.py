"""No honest program is rejected for its habits, on either back end."""

from __future__ import annotations

import pytest
from helpers.back_ends import BACK_ENDS
from helpers.hostile import Result, run_cases
from oddities import ALL_CASES

from codegym.sandbox import open_sandbox


@pytest.fixture(scope="module", params=BACK_ENDS)
def results(request: pytest.FixtureRequest) -> dict[str, Result]:
    return run_cases(ALL_CASES, lambda: open_sandbox(request.param, num_workers=1))


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.name)
def test_honest_program_passes(results: dict[str, Result], case: object) -> None:
    result = results[case.name]  # type: ignore[attr-defined]
    assert result.verdict is not None, f"the machine failed: {result.failure}"
    assert result.verdict.passed, f"{case.why}: {result.verdict}"  # type: ignore[attr-defined]

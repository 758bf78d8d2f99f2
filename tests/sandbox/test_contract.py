"""Every back end keeps the public contract, and the contract tells a back end that does not."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from helpers.back_ends import BACK_ENDS

from codegym.sandbox import open_sandbox
from codegym.sandbox.base import CheckResult, Execution, ExitReason, FakeSandbox, Run, Sandbox
from codegym.sandbox.process import LEVELS, ProcessSandbox, unavailable_reason
from codegym.testing import CONTRACT_LIMITS, SANDBOX_CONTRACT, check_closing, check_sandbox
from codegym.testing.programs import Check

NOT_PROMISED = {
    "plain": {
        "network_is_out_of_reach",
        "processes_are_limited",
        "temporary_directory_is_fresh",
        "temporary_space_is_limited",
        "nothing_survives",
        "signals_reach_nothing_else",
    },
    # the kernel exempts root from its limit on processes; nobody who is root needs this level
    "user": {"processes_are_limited"} if os.geteuid() == 0 else set(),
}
PLACES = [*LEVELS, *(param for param in BACK_ENDS if param.values != ("process",))]
"""The process back end at each level, and every other back end."""


def make(back_end: str) -> Sandbox:
    if back_end not in LEVELS:
        return open_sandbox(back_end, CONTRACT_LIMITS, num_workers=2)
    if (reason := unavailable_reason(back_end)) is not None:
        pytest.skip(f"no process sandbox at level {back_end!r} here: {reason}")
    return ProcessSandbox(CONTRACT_LIMITS, num_workers=2, level=back_end)


@pytest.fixture(scope="module", params=PLACES)
def back_end(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def sandbox(back_end: str) -> Iterator[Sandbox]:
    with make(back_end) as sandbox:
        yield sandbox


@pytest.mark.parametrize("check", SANDBOX_CONTRACT.values(), ids=SANDBOX_CONTRACT)
def test_back_end_keeps_the_contract(check: Check, back_end: str, sandbox: Sandbox) -> None:
    if check.__name__ in NOT_PROMISED.get(back_end, ()):
        pytest.skip("not promised at this level")
    check(sandbox)


def test_back_end_closes(back_end: str) -> None:
    check_closing(make(back_end))


@pytest.mark.parametrize("check", SANDBOX_CONTRACT.values(), ids=SANDBOX_CONTRACT)
@pytest.mark.parametrize(
    "answer",
    [Execution(), Execution(runs=(Run(ExitReason.EXITED),), outcomes=(CheckResult(True),))],
    ids=["nothing", "always well"],
)
def test_sandbox_that_runs_nothing_breaks_every_promise(check: Check, answer: Execution) -> None:
    with pytest.raises(AssertionError):
        check(FakeSandbox(lambda request: answer))


def test_check_sandbox_names_all_broken_promises() -> None:
    with pytest.raises(
        AssertionError, match=f"{len(SANDBOX_CONTRACT) + 1} of {len(SANDBOX_CONTRACT) + 1} checks"
    ) as caught:
        check_sandbox(lambda limits: FakeSandbox())
    assert "exclusive_runs_alone" in str(caught.value)

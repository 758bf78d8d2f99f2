"""Contract checks for authors of back ends and line scorers.

A line scorer that passes ``check_line_scorer`` works in any environment. The contract of back ends consists of programs
whose executions must be as the judge expects; a back end that passes ``check_sandbox`` works with ``codegym.Judge``:

>>> from codegym.sandbox.process import ProcessSandbox
>>> check_sandbox(ProcessSandbox)  # doctest: +SKIP

With pytest, one test for each check and one sandbox for all of them::

    @pytest.fixture(scope="module")
    def sandbox():
        sandbox = MySandbox(CONTRACT_LIMITS)
        yield sandbox
        sandbox.close()

    @pytest.mark.parametrize("check", SANDBOX_CONTRACT.values(), ids=SANDBOX_CONTRACT)
    def test_contract(check, sandbox):
        check(sandbox)

The contract of back ends, beyond the records of ``codegym.sandbox.base``:

*Running.* Every stdin gets a process of its own, run as ``__main__``. Its printed bytes arrive unchanged, up to the
limit. Its end is distinguished: exit with a status, a signal, or one of the limits. Limits hold for the whole process
tree. An uncaught exception has type, message and line.

*Answers.* Values cross as plain data of exact builtin types; no object of the program decides equality. Each check of
an ``AssertJob`` counts separately: it held, it did not hold, the program raised, or the process ended before it. An
exit status of 0 is never an answer.

*Isolation.* A program has no network, no environment variables of the host, and an empty temporary directory. None of
its processes is alive when its execution is done. No program changes the execution of another.

*Calling.* ``submit`` may be called from many threads; an ``exclusive`` request runs beside no other; after ``close``,
``submit`` fails.

A broken promise is an ``AssertionError`` that names it. Not covered: faults of the kernel, side channels, and attacks
on the judge that need more than one program; ``tests/exploits`` of the repository has hundreds of those.
"""

from __future__ import annotations

from collections.abc import Callable

from codegym.sandbox.base import Limits, Sandbox
from codegym.testing import answers, calling, isolation, running
from codegym.testing.programs import CONTRACT_LIMITS, Check
from codegym.testing.scoring import check_line_scorer

__all__ = ["CONTRACT_LIMITS", "SANDBOX_CONTRACT", "check_closing", "check_line_scorer", "check_sandbox"]

SANDBOX_CONTRACT: dict[str, Check] = {
    check.__name__: check for module in (running, answers, isolation, calling) for check in module.CHECKS
}
"""Name -> check of a sandbox that was opened with ``CONTRACT_LIMITS``. Any order works; the sandbox stays usable."""

check_closing = calling.closes
"""Last check, which closes the sandbox."""


def check_sandbox(make_sandbox: Callable[[Limits], Sandbox]) -> None:
    """Run the whole contract against one sandbox, which is closed at the end.

    Args:
        make_sandbox: Function that opens the sandbox; it is called once, with ``CONTRACT_LIMITS``.

    Raises:
        AssertionError: Promises are broken; the message lists all of them.
    """
    sandbox = make_sandbox(CONTRACT_LIMITS)
    broken = []
    for name, check in [*SANDBOX_CONTRACT.items(), ("closes", check_closing)]:
        try:
            check(sandbox)
        except AssertionError as error:
            broken.append(f"{name}: {error}")
    if broken:
        raise AssertionError(f"{len(broken)} of {len(SANDBOX_CONTRACT) + 1} checks failed\n" + "\n".join(broken))

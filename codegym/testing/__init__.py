"""Contract checks for whoever writes a back end or a line scorer of his own.

A line scorer that passes ``check_line_scorer`` may be given to any environment. For back ends the contract is what the
judge counts on, as programs that must behave; one that passes ``check_sandbox`` may be given to ``codegym.Judge``:

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

*Running.* Every stdin gets a process of its own, run as ``__main__``. What it printed arrives byte for byte up to the
limit. Its end is told apart: by itself with its exit status, by a signal, or by a limit, and by which. Limits hold for
the whole process tree. An uncaught exception comes with type, message and line.

*Answers.* Values cross as plain data of exact builtin types; nothing of the program's own decides equality. Each check
of an examination counts alone: it held, it did not hold, the program raised, or the process did not get that far.
An exit status of 0 is never an answer.

*Isolation.* No network, nothing of the host's environment, an empty temporary directory for every program, and
nothing alive when the execution is there. What one program does changes no execution of another.

*Calling.* ``submit`` may be called from many threads; ``alone`` runs beside nothing; after ``close`` it fails.

A broken promise is an ``AssertionError`` that names it. Not covered: faults of the kernel, side channels, and attacks
on the judge that need more than one program; ``tests/exploits`` of the checkout has some hundred of those.
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
"""Name -> check of a sandbox that was made with ``CONTRACT_LIMITS``; in any order, and the sandbox stays usable."""

check_closing = calling.closes
"""The last check: closes the sandbox."""


def check_sandbox(make_sandbox: Callable[[Limits], Sandbox]) -> None:
    """Run the whole contract against one sandbox, which is closed at the end.

    Args:
        make_sandbox: is called once, with ``CONTRACT_LIMITS``.

    Raises:
        AssertionError: promises that were broken, all of them.
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

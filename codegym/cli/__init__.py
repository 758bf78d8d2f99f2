"""The command ``codegym``: each command is a function, whose docstring and arguments are its help text."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

import tyro
from tyro.extras import SubcommandApp

from codegym.cli import evaluate, judge, prm, replay, sandbox, sandbox_check, validate
from codegym.cli.common import errors_as_sentences, install_hint, output

__all__ = ["errors_as_sentences", "install_hint", "main"]

_DESCRIPTION = """Judge programs, evaluate policies, check tasks and maintain the sandbox.

A first session:
    codegym sandbox check                                  measures the isolation that this host gives
    codegym validate --tasks mbpp --path mbpp.jsonl        runs the gold solutions of a data set
    codegym judge samples.jsonl --tasks mbpp --path mbpp.jsonl
    codegym evaluate runs/policy --tasks mbpp --path mbpp.jsonl --num-samples 10
    codegym replay episodes.jsonl                          plays recorded episodes again

Each command has a help text with examples: codegym judge --help. codegym --version prints the version."""
_PRM = "Label lines of programs, train a process reward model on the labels, evaluate it."
_SANDBOX = "Build the image of the sandbox; check, clean up and time sandboxes."

Commands = Mapping[str, Callable[..., int]]
COMMANDS: Commands = {
    "judge": judge.judge,
    "evaluate": evaluate.evaluate,
    "validate": validate.validate,
    "replay": replay.replay,
}
SANDBOX_COMMANDS: Commands = {
    "check": sandbox_check.check,
    "build": sandbox.build,
    "clean": sandbox.clean,
    "bench": sandbox.bench,
}
PRM_COMMANDS: Commands = {"label": prm.label, "train": prm.train, "evaluate": prm.evaluate}


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and end the process.

    The exit status is 0 if all is well, 1 after an error or a failed check, 2 if the machine failed for some programs,
    and 130 after Ctrl-C.

    Args:
        args: Arguments of the command line, by default those of this process.
    """
    arguments = sys.argv[1:] if args is None else args
    with errors_as_sentences("codegym"):
        status = _run(arguments)
    sys.exit(status)


def _run(arguments: Sequence[str]) -> int:
    if list(arguments) == ["--version"]:
        output.print(f"codegym {version('codegym')}", highlight=False)
        return 0
    app = _app(COMMANDS, arguments)
    app.command(_app(SANDBOX_COMMANDS, arguments), name="sandbox", help=_SANDBOX)
    app.command(_app(PRM_COMMANDS, arguments), name="prm", help=_PRM)
    config = (tyro.conf.FlagCreatePairsOff,)
    status: int = app.cli(prog="codegym", description=_DESCRIPTION, args=arguments, config=config)
    return status


def _app(commands: Commands, arguments: Sequence[str]) -> SubcommandApp:
    """Collect commands; only the one that is called has its whole help text, the others one line of the list."""
    app = SubcommandApp()
    for name, command in commands.items():
        line = (command.__doc__ or "").partition("\n")[0]
        app.command(name=name, help=None if name in arguments else line)(command)
    return app

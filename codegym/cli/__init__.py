"""The command ``codegym``; every command is a function whose docstring and arguments are its help."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import tyro
from tyro.extras import SubcommandApp

from codegym.cli import evaluate, judge, prm, replay, sandbox, sandbox_check, validate
from codegym.cli.common import errors
from codegym.errors import CodegymError

_DESCRIPTION = """Judge programs, check data sets and look after the sandbox.

A first session:
    codegym sandbox check                                  what isolation does this host give?
    codegym validate --dataset mbpp --path mbpp.jsonl      do the gold solutions pass here?
    codegym judge samples.jsonl --dataset mbpp --path mbpp.jsonl
    codegym evaluate runs/policy --dataset mbpp --path mbpp.jsonl --num-samples 10
    codegym replay episodes.jsonl                          is a recorded episode the same again?

Every command explains itself: codegym judge --help"""
_PRM = "Label the lines of programs, train a process reward model on the labels, say how good it is."
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
    """Run the command line and end the process: 0 well, 1 trouble or a failed check, 2 the machine failed."""
    arguments = sys.argv[1:] if args is None else args
    try:
        with _warnings_as_lines():
            status = _run(arguments)
    except BrokenPipeError:  # whoever read the output has seen enough; the interpreter must not try to flush it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except (CodegymError, OSError, ValueError) as error:
        if os.environ.get("CODEGYM_TRACEBACK"):
            raise
        _say(error, "red")
        status = 1
    except KeyboardInterrupt:
        _say("interrupted; what was finished is kept, the same command goes on from there", "red")
        status = 130
    sys.exit(status)


def _run(arguments: Sequence[str]) -> int:
    app = _app(COMMANDS, arguments)
    app.command(_app(SANDBOX_COMMANDS, arguments), name="sandbox", help=_SANDBOX)
    app.command(_app(PRM_COMMANDS, arguments), name="prm", help=_PRM)
    config = (tyro.conf.FlagCreatePairsOff,)
    status: int = app.cli(prog="codegym", description=_DESCRIPTION, args=arguments, config=config)
    return status


def _app(commands: Commands, arguments: Sequence[str]) -> SubcommandApp:
    """A list of commands has one line for each; only the one that is asked for tells everything."""
    app = SubcommandApp()
    for name, command in commands.items():
        line = (command.__doc__ or "").partition("\n")[0]
        app.command(name=name, help=None if name in arguments else line)(command)
    return app


def _say(message: object, style: str) -> None:
    errors.print(f"codegym: {message}", style=style, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """A warning is a sentence for whoever sits at the terminal; place and source line are not."""

    def show(message: Warning | str, *_: object) -> None:
        _say(message, "yellow")

    with warnings.catch_warnings():
        warnings.showwarning = show  # type: ignore[assignment]  # the parameters that it ignores have no names
        yield

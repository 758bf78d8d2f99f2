"""What all commands share: the terminal, progress bars, and errors as sentences."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from codegym.errors import CodegymError
from codegym.sandbox.backends import BACKENDS

SANDBOX_HELP = (
    f"Back end: {', '.join(BACKENDS)}, package.module:object for one of your own, or auto, which is Docker if an "
    "engine answers, else the process back end (see: codegym sandbox check)."
)
output = Console()
errors = Console(stderr=True)
EXTRAS = {
    **{"torch": "agents", "peft": "agents", "safetensors": "agents", "tensorboard": "agents", "wandb": "wandb"},
    **{"transformers": "tokenizers", "tokenizers": "tokenizers", "docker": "docker", "datasets": "hub"},
    **{"jinja2": "render", "PIL": "render", "matplotlib": "benchmarks", "scipy": "benchmarks", "psutil": "benchmarks"},
}
"""Module -> extra of codegym that installs it."""


def install_hint(extra: str) -> str:
    """Return the command that installs an extra of codegym.

    Args:
        extra: Name of the extra, such as "agents".
    """
    return f"pip install 'codegym[{extra}]'"


@contextmanager
def errors_as_sentences(program: str) -> Iterator[None]:
    """Print a warning or an expected error as one line, and end the process with a status instead of a traceback.

    The status is 1 for ``CodegymError``, ``OSError``, ``ValueError`` and ``ImportError``, and 130 for Ctrl-C. Set
    ``CODEGYM_TRACEBACK=1`` to see the traceback.

    Args:
        program: Name of the program, which the line begins with: "codegym".

    Raises:
        SystemExit: The program failed.
    """
    try:
        with _warnings_as_lines(program):
            yield
    except BrokenPipeError:  # the reader of the output has seen enough; the interpreter must not try to flush it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (CodegymError, OSError, ValueError, ImportError) as error:
        if os.environ.get("CODEGYM_TRACEBACK"):
            raise
        _print_line(program, _with_hint(error), "red")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        _print_line(program, "interrupted; finished results are kept, and the same command resumes", "red")
        raise SystemExit(130) from None


def _with_hint(error: Exception) -> str:
    """Return the message of an error; a missing package comes with the extra that installs it."""
    extra = EXTRAS.get((error.name or "").split(".")[0]) if isinstance(error, ImportError) else None
    return f"{error}: {install_hint(extra)}" if extra and "pip install" not in str(error) else str(error)


def _print_line(program: str, message: object, style: str) -> None:
    errors.print(f"{program}: {message}", style=style, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _warnings_as_lines(program: str) -> Iterator[None]:
    """Print warnings without the place in the code, which is of no use at a terminal."""

    def show(message: Warning | str, *_: object) -> None:
        _print_line(program, message, "yellow")

    with warnings.catch_warnings():
        warnings.showwarning = show  # type: ignore[assignment]  # the parameters that it ignores have no names
        yield


class ProgressBar:
    """Bars on the terminal's error stream, one for each stage of a command; gone when the command is done."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=errors, transient=True)
        self._bars: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int | None, total: int, description: str | None = None) -> None:
        """Show how far a stage is.

        Args:
            stage: Name of the stage: "judging".
            done: Number of its steps that are done; None leaves it as it is.
            total: Number of all steps of the stage.
            description: Text beside the bar, by default the name of the stage.
        """
        if stage not in self._bars:
            self._bars[stage] = self._progress.add_task(stage, total=total)
        self._progress.update(self._bars[stage], completed=done, total=total, description=description)

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

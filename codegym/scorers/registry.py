"""The table of line scorers, and line scorers from what a user names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

from codegym.plugins import Plugins, load_object
from codegym.scorers.base import LineScorer

LineScorerLike = str | os.PathLike[str] | LineScorer | None
"""A name, ``"package.module:object"``, the folder of a process reward model, a line scorer, or None for no scorer."""


def load_prm(folder: str | os.PathLike[str] | None = None) -> LineScorer:
    """Load a process reward model from its ``folder``.

    Raises:
        ImportError: PyTorch or ``transformers`` is not installed.
        ValueError: There is no folder, or it holds no process reward model.
    """
    if folder is None:
        raise ValueError(
            "a process reward model needs its folder: got 'prm'; expected a folder that codegym prm train wrote"
        )
    try:
        load = cast("Callable[..., LineScorer]", load_object("codegym.scorers.prm.model:ProcessRewardModel.load"))
    except ImportError as error:
        raise ImportError(
            f"a process reward model needs torch and transformers: got {os.fspath(folder)!r}, but {error}. "
            "Run pip install 'codegym[agents]'"
        ) from error
    return load(folder)


SCORERS: Plugins[Callable[..., LineScorer]] = Plugins(
    "line scorer",
    "codegym.scorers",
    {
        "fake": "codegym.scorers.base:FakeLineScorer",
        "prm": "codegym.scorers.registry:load_prm",
    },
)
"""Name -> class or function that makes the line scorer of that name."""


def make_line_scorer(value: LineScorerLike) -> LineScorer | None:
    """Return the line scorer that ``value`` names or is.

    >>> make_line_scorer("fake")  # doctest: +ELLIPSIS
    <codegym.scorers.base.FakeLineScorer object at ...>

    Args:
        value: None for no scorer; a name of ``SCORERS`` or of an entry point; ``"package.module:object"``, the path of
            a line scorer or of what makes one; the folder of a process reward model; or an object with a method
            ``score(requests)``, which is returned as it is.

    Raises:
        ImportError: A process reward model is named, and PyTorch or ``transformers`` is not installed.
        ValueError: There is no such name, object or folder, or the value is none of these.
    """
    if value is None or _is_scorer(value):
        return cast("LineScorer | None", value)
    if isinstance(value, str | os.PathLike):
        return _find(os.fspath(value))
    raise ValueError(
        f"wrong line scorer: got {value!r}; expected a name, 'package.module:object', the folder of a process reward "
        "model, or an object with a method score(requests)"
    )


def _find(name: str) -> LineScorer:
    folder = Path(name).expanduser()
    if folder.is_dir():
        return load_prm(folder)
    if name not in SCORERS and len(folder.parts) > 1:
        raise ValueError(
            f"no folder of a process reward model: got {name!r}; expected a folder that codegym prm train wrote"
        )
    found = SCORERS.get_plugin(name)
    scorer = found() if callable(found) and not _is_scorer(found) else found
    if not _is_scorer(scorer):
        raise ValueError(f"wrong line scorer {name!r}: got {scorer!r}; expected an object with score(requests)")
    return cast(LineScorer, scorer)


def _is_scorer(value: object) -> bool:
    return callable(getattr(value, "score", None)) and not isinstance(value, type)

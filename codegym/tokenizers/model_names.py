"""Names of models: a local folder, or an id on the Hugging Face Hub."""

from __future__ import annotations

import os
import re
from pathlib import Path

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def resolve_model(source: str | os.PathLike[str], kind: str) -> str:
    """Return the local folder or the Hub id that ``source`` names, without asking the Hub.

    A name with the form ``owner/name`` is an id unless a folder ``owner`` exists here: then it is a local path, and
    probably a misspelt one. A name of one word is never an id, and neither is an ``os.PathLike``.

    Args:
        source: Folder of a model or tokenizer, or its id on the Hub.
        kind: Word for messages: "policy", "tokenizer".

    Raises:
        ValueError: There is no such folder, and the name has not the form of an id.
    """
    name = os.path.expanduser(os.fspath(source))
    if os.path.isdir(name):
        return name
    if isinstance(source, str) and _HUB_ID.fullmatch(name) and not Path(name).parent.is_dir():
        return name
    raise ValueError(
        f"no such {kind}: got {name!r}; expected a folder that exists, or a Hub id such as 'Qwen/Qwen2.5-Coder-0.5B'"
    )

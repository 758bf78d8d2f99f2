"""Start of a box: ``python -s -S -P -X utf8 DIRECTORY SETTINGS``, where the settings are a JSON object.

Two interpreters come of it, and no program shares memory with any but the forker, which reads only numbers: the
server has the connection to the host, sees the programs and the tests. It starts the forker in the same way, with
settings that name one.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any


def main() -> None:
    """Import the package from wherever its directory was put, then start."""
    settings = json.loads(sys.argv[1])
    directory = os.path.dirname(os.path.abspath(__file__))
    if "forker" in settings:
        _be_forker(directory, **settings)
    else:
        _import(directory, "start").start(settings)


def _be_forker(directory: str, forker: dict[str, Any], paths: list[str], preload: list[str]) -> None:
    """Load what programs need, then what runs them."""
    sys.path[:] = paths
    os.environ.pop("LD_BIND_NOW", None)  # it was for the start of this interpreter
    for name in preload:
        importlib.import_module(name)
    module = _import(directory, "forker")
    module.serve(module.Settings(**forker))


def _import(directory: str, name: str) -> Any:
    sys.path.insert(0, os.path.dirname(directory))
    module = importlib.import_module(f"{os.path.basename(directory)}.{name}")
    sys.path.pop(0)
    return module


if __name__ == "__main__":
    main()

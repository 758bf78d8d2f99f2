"""Start of a box: ``python -s -S -P -X utf8 DIRECTORY SETTINGS``, where the settings are a JSON object.

Two interpreters come of it, and no program shares memory with any but the forker, which reads only numbers: the
server has the connection to the host, sees the programs and the tests. It starts the forker by a line of its own,
since what finds a program in a directory would stay in memory and make each fork dearer.
"""

from __future__ import annotations

import importlib
import json
import os
import sys


def main() -> None:
    """Import the package from wherever its directory was put, then start."""
    folder, package = os.path.split(os.path.dirname(os.path.abspath(__file__)))
    sys.path.insert(0, folder)
    start = importlib.import_module(f"{package}.start")
    sys.path.pop(0)
    start.start(json.loads(sys.argv[1]))


if __name__ == "__main__":
    main()

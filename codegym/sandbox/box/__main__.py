"""Start of a box: ``python -s -S -P -X utf8 DIRECTORY SETTINGS``, with the settings as a JSON object.

A box has two interpreters. The server has the connection to the host and reads the programs and the tests. Programs
share memory only with the forker, which reads nothing but numbers. The server starts the forker with ``python -c``,
because the machinery that runs a directory would stay in memory and make each fork slower.
"""

from __future__ import annotations

import importlib
import json
import os
import sys


def main() -> None:
    """Import the package from the directory that it is in, then start."""
    folder, package = os.path.split(os.path.dirname(os.path.abspath(__file__)))
    sys.path.insert(0, folder)
    start = importlib.import_module(f"{package}.start")
    sys.path.pop(0)
    start.start(json.loads(sys.argv[1]))


if __name__ == "__main__":
    main()

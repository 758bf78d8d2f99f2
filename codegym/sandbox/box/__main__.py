"""Start of a box: ``python -s -S -P -X utf8 DIRECTORY SETTINGS``, where the settings are a JSON object.

Three processes come of it, and no program shares memory with any but the forker, which reads only numbers: the
examiner sees the tests, the server sees the programs. These two have a connection to the host each.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any


def main() -> None:
    """Import the package from wherever its directory was put, then start."""
    below: list[bool] = []
    os.register_at_fork = _only_below(below)
    directory = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.dirname(directory))
    start = importlib.import_module(os.path.basename(directory) + ".start")
    sys.path.pop(0)
    start.start(json.loads(sys.argv[1]), _connect, below)


def _only_below(below: list[bool]) -> Callable[..., None]:
    """A way to register what modules want done at forks that leaves it out until ``below`` has something in it.

    Programs get it at the forks that they make themselves; done in each fork of the forker, reseeding a generator
    nobody asked for costs more than the fork.
    """
    register = os.register_at_fork

    def register_below(**hooks: Callable[[], object]) -> None:
        register(**{when: lambda hook=hook: below and hook() for when, hook in hooks.items()})

    return register_below


def _connect(settings: dict[str, Any], role: str) -> socket.socket:
    """The connection to the host: an inherited descriptor, or a socket file that only the box's root may use."""
    if "descriptors" in settings:
        return socket.socket(fileno=settings["descriptors"][role])
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(settings["socket"])
    connection.sendall(f"{settings['nonce']} {role}\n".encode())
    return connection


if __name__ == "__main__":
    main()

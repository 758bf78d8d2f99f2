"""Removal of everything in the directories that programs can write to."""

from __future__ import annotations

import itertools
import os


def empty(directory: str) -> None:
    """Delete everything in a directory, however deep or locked; if that fails, end the box, which is dirty then.

    Nested directories are moved to the top before they are emptied, so that no path grows too long.
    """
    names = itertools.count()
    try:
        doomed = [f"{directory}/{name}" for name in os.listdir(directory)]
        while doomed:
            path = doomed.pop()
            if os.path.islink(path) or not os.path.isdir(path):
                os.unlink(path)
                continue
            os.chmod(path, 0o700)
            for name in os.listdir(path):
                moved = f"{directory}/.{next(names)}-doomed"
                os.rename(f"{path}/{name}", moved)
                doomed.append(moved)
            os.rmdir(path)
    except OSError:
        os._exit(71)  # the host replaces the box

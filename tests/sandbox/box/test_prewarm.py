"""Getting warm leaves nothing behind but warmth."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from codegym.sandbox.process import BOX

FRESH = """
import sys
sys.path.insert(0, sys.argv[1])
from box import prewarm
sizes = range(48, 513, 16)
scattered = [bytes(size - 33) for size in sizes for _ in range(300)]
del scattered[::2]
prewarm.fill_pools()
blocks = [bytes(size - 33) for size in sizes]
print(sum(id(block) % (1 << 14) < 4096 for block in blocks), len(blocks))
"""

WARMED = """
import sys
sys.path.insert(0, sys.argv[1])
before = sorted(__builtins__.__dict__)
from box import candidate, prewarm
prewarm.warm_up()
print(sorted(vars(candidate.PROGRAM)) == sorted(vars(candidate.SCRIPT)), len(vars(candidate.PROGRAM)))
print(sorted(__builtins__.__dict__) == before, candidate.PROGRAM is sys.modules["program"])
"""


def run(source: str) -> list[str]:
    command = [sys.executable, "-S", "-c", source, str(BOX.parent)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.skipif("PYTHONMALLOC" in os.environ, reason="needs the interpreter's own memory pools")
def test_a_fork_gets_its_memory_from_the_first_pages_of_new_pools():
    from_first_pages, of_all = map(int, run(FRESH))
    assert of_all == 30
    assert from_first_pages > 25  # without the filling none need be: they lie anywhere in old pools


def test_programs_find_two_modules_with_nothing_in_them():
    same_names, num_names, builtins_unchanged, in_place = run(WARMED)
    assert (same_names, builtins_unchanged, in_place) == ("True", "True", "True")
    assert num_names == "7"  # what every module has, the builtins and the name of the file

"""Warm-up of the forker: a fork copies every page that it writes to, so caches are filled before."""

from __future__ import annotations

import marshal
import os
import sys
from _socket import SHUT_WR, socketpair
from math import ceil

from . import candidate
from .program import compile_program
from .responder import MARSHAL, forget

_ROUNDS = 20
_POOL_BYTES, _POOL_HEAD_BYTES = 1 << 14, 48
"""The interpreter's memory for objects of up to ``_LARGEST`` bytes: pools of blocks of one size, each with a head."""
_STEP, _LARGEST = 16, 512
_MAX_FILLERS = 1 << 11
"""Number of fillers of one size: several pools of the smallest. It bounds the loop in interpreters without pools."""
_BYTES_HEAD = sys.getsizeof(b"")
_fillers: list[bytes] = []
_SAMPLE = """
from typing import Any, Dict, List, Optional, Tuple
class Sample:
    def __init__(self, start: int = 0) -> None:
        self.value = start
    def add(self, amount: int) -> int:
        self.value += amount
        return self.value
def sample(numbers: List[int], text: str = "") -> List[int]:
    total: Dict[str, int] = {}
    for index, number in enumerate(sorted(numbers)):
        total[str(index)] = number if number % 2 else -number
    return [value for value in total.values()] + [len(text.split()), Sample().add(2)]
"""


def warm_up() -> None:
    """Run the candidate's side on a sample, in this process, with stand-ins for host and examiner.

    This fills the interpreter's caches, the inline caches of byte code and the memory pools, so that forks only read.
    """
    candidate.make_modules()
    null = os.open("/dev/null", os.O_RDWR)
    code = compile_program(_SAMPLE)
    calls = ['[[3,1,2],"a b"]', '[[4,5],""]']
    for _ in range(_ROUNDS):
        candidate.work(marshal.dumps((code, False, 1, "sample", calls)), 0, null, -1)
        _play_examiner(marshal.dumps((code, False, 1, None, None)), null)
    os.close(null)
    candidate.make_modules()
    forget()


def _play_examiner(job: bytes, report: int) -> None:
    examiner, channel = socketpair()
    questions: list[object] = ["sample", *[(0, [[3, 1, 2], "a b"], {})] * 3]
    examiner.sendall(marshal.dumps(marshal.dumps(questions, MARSHAL), MARSHAL))
    examiner.shutdown(SHUT_WR)
    candidate.work(job, 0, report, channel.detach())
    examiner.close()


def fill_pools() -> None:
    """Fill the free memory between other objects, so that a fork gets all of its own from new pools.

    A block in a pool with other objects costs a fork two pages, one with the block and one with the head of the pool; a
    new pool has its head and its first blocks on one page.
    """
    for size in range(_STEP * ceil(_BYTES_HEAD / _STEP), _LARGEST + 1, _STEP):
        for _ in range(_MAX_FILLERS):
            _fillers.append(bytes(size - _BYTES_HEAD))
            # In an old pool the first block may be free too, but hardly together with the second one.
            if [id(filler) % _POOL_BYTES - _POOL_HEAD_BYTES for filler in _fillers[-2:]] == [0, size]:
                break

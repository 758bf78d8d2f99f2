"""Memory of the environment when every slot holds an almost finished program."""

from __future__ import annotations

import gc
import tracemalloc

from benchmarks.speed.env_throughput.actions import ActionWriter
from benchmarks.speed.env_throughput.runners import open_codegym, tokenizer
from benchmarks.speed.env_throughput.settings import EnvRow


def measure_memory(slots: tuple[int, ...], lengths: tuple[int, ...]) -> dict[int, dict[int, int]]:
    """Return length -> slots -> bytes that Python and NumPy hold, the last returned observation included.

    Args:
        slots: Numbers of slots.
        lengths: Lengths of programs in tokens.
    """
    _hold(EnvRow(slots=slots[0], length=lengths[0]))  # what is made once for all
    return {length: {number: _hold(EnvRow(slots=number, length=length)) for number in slots} for length in lengths}


def _hold(row: EnvRow) -> int:
    writer = ActionWriter(tokenizer(row.vocabulary), row.slots, row.length, in_phase=True)
    rows = list(writer.rows(row.length - 1))
    gc.collect()
    tracemalloc.start()
    env = open_codegym(row)
    env.reset(seed=0)
    for row in rows:
        last = env.step(row)
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del last
    env.close()
    return held

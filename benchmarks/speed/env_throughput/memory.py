"""Memory of the environment when every slot holds a program that is all but finished."""

from __future__ import annotations

import gc
import tracemalloc

from benchmarks.speed.env_throughput.actions import Writer
from benchmarks.speed.env_throughput.runners import open_codegym, tokenizer
from benchmarks.speed.env_throughput.settings import Setting


def measure_memory(slots: tuple[int, ...], lengths: tuple[int, ...]) -> dict[int, dict[int, int]]:
    """Length -> slots -> bytes that Python and NumPy hold for it, the observation that was returned last included."""
    _hold(Setting(slots=slots[0], length=lengths[0]))  # what is made once for all
    return {length: {number: _hold(Setting(slots=number, length=length)) for number in slots} for length in lengths}


def _hold(setting: Setting) -> int:
    writer = Writer(tokenizer(setting.vocabulary), setting.slots, setting.length, in_phase=True)
    rows = list(writer.rows(setting.length - 1))
    gc.collect()
    tracemalloc.start()
    env = open_codegym(setting)
    env.reset(seed=0)
    for row in rows:
        last = env.step(row)
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del last
    env.close()
    return held

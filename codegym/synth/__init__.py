"""Procedural tasks: endless, offline, with gold solutions."""

from codegym.synth.arithmetic import Arithmetic

FAMILIES = {"arithmetic": Arithmetic}
"""Name -> family; each is made without arguments."""

__all__ = ["FAMILIES", "Arithmetic"]

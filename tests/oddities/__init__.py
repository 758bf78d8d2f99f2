"""Honest programs that look odd; each of them must pass."""

from helpers.corpus import Case

from . import classes, endings, inputs_outputs, running, values

MODULES = (inputs_outputs, endings, running, values, classes)
ALL_CASES: list[Case] = [case for module in MODULES for case in module.CASES]

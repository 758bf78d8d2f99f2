"""Parts that the data sets of contest problems share: prompts, imports before the program, and its entry point."""

from __future__ import annotations

PREAMBLE = """\
import bisect, collections, copy, functools, heapq, itertools, math, operator, random, re, string, sys, typing
from bisect import *
from collections import *
from functools import *
from heapq import *
from itertools import *
from math import *
from typing import *
from builtins import *
"""
"""Source before call-based programs, whose starter code uses names such as ``List`` without an import.

The authors of APPS, TACO and LiveCodeBench each put such a block there; this one serves all three and needs the
standard library alone (theirs import numpy or change the recursion limit as well).
"""


def problem_prompt(question: str, starter: str, *, is_call: bool) -> str:
    """Return the prompt in the form of the authors of APPS.

    Args:
        question: Text of the problem.
        starter: Starter code of the problem, "" if there is none.
        is_call: Whether the program is called, rather than run with standard input.
    """
    format_name = "Call-Based" if is_call else "Standard Input"
    starter = f"\n{starter}" if starter else ""
    return f"\nQUESTION:\n{question}{starter}\nUse {format_name} format\nANSWER:\n"


def entry_point(function: str, starter: str) -> str:
    """Return the name that is called: a method if the code begins a ``class Solution``, else the function.

    Args:
        function: Name of the function or method.
        starter: Starter code or solution of the problem.
    """
    return f"Solution.{function}" if "class Solution" in starter else function

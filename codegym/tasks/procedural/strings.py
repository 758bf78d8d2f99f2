"""Strings: operations on a text, one after the other."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

from codegym.tasks.procedural.chain import ChainFamily, Chains, operations

STEPS = operations("""
    30 ; upper ; v.upper() ; v.lower() ; v.title()
    30 ; lower ; v.lower() ; v.upper() ; v.title()
    40 ; swap case ; v.swapcase() ; v.upper() ; v.lower()
    40 ; title ; v.title() ; v.upper() ; v.lower()
    25 ; reverse ; v[::-1] ; v[::2] ; v[1:]
    35 ; tail ; v[1:] ; v[2:] ; v[:-1]
    40 ; crop ; v[:-1] ; v[:-2] ; v[1:]
    45 ; first 9 ; v[:9] ; v[9:] ; v[:8]
    50 ; last 7 ; v[-7:] ; v[:-7] ; v[-8:]
    50 ; every 2 ; v[::2] ; v[1::2] ; v[:2]
    55 ; rotate ; v[1:] + v[:1] ; v[-1:] + v[:-1] ; v[1:] + v[:2]
    45 ; letters ; "".join(i for i in v if i.isalpha()) ; "".join(i for i in v if i.isdigit()) ; v.strip()
    50 ; digits ; "".join(i for i in v if i.isdigit()) ; "".join(i for i in v if i.isalpha()) ; v.strip()
    50 ; drop digits ; "".join(i for i in v if not i.isdigit()) ; "".join(i for i in v if i.isdigit()) ; v[1:]
    60 ; drop vowels ; "".join(i for i in v if i not in "aeiou") ; "".join(i for i in v if i in "aeiou") ; v[1:]
    40 ; a to o ; v.replace("a", "o") ; v.replace("o", "a") ; v.replace("a", "e")
    40 ; e to u ; v.replace("e", "u") ; v.replace("u", "e") ; v.replace("e", "a")
    50 ; dashes ; v.replace(" ", "-") ; v.replace(" ", "") ; v.strip()
    45 ; join up ; v.replace(" ", "") ; v.replace(" ", "-") ; v.strip()
    50 ; sort ; "".join(sorted(v)) ; "".join(v[::-1]) ; "".join(sorted(v)[1:])
    60 ; distinct ; "".join(sorted(set(v))) ; "".join(sorted(v)) ; "".join(sorted(set(v))[1:])
    60 ; turn words ; " ".join(v.split()[::-1]) ; "".join(v.split()[::-1]) ; v[::-1]
    55 ; drop word ; " ".join(v.split()[1:]) ; " ".join(v.split()[:1]) ; " ".join(v.split()[:-1])
    65 ; flip words ; " ".join(i[::-1] for i in v.split()) ; v[::-1] ; "".join(i[::-1] for i in v.split())
    60 ; initials ; "".join(i[:1] for i in v.split()) ; "".join(i[1:] for i in v.split()) ; v[:1]
    30 ; shout ; v + "!" ; "!" + v ; v + "?"
    35 ; ask ; v + "?" ; "?" + v ; v + "!"
    55 ; append length ; v + str(len(v)) ; v + str(len(v) - 1) ; str(len(v)) + v
    50 ; twice ; v + v ; v + v[::-1] ; v + v[1:]
    65 ; mirror ; v + v[::-1] ; v + v ; v[::-1] + v
    55 ; pad 30 ; v.ljust(30, "-") ; v.rjust(30, "-") ; v.ljust(9, "-")
""")
ENDS = operations("""
    20 ; text ; v ; v[1:] ; v[:-1]
    20 ; words ; v.split() ; v ; v.split()[1:]
    25 ; ends ; v[:2] + v[-2:] ; v[:2] + v[2:] ; v[:1] + v[-1:]
    35 ; codes ; sum(i * ord(j) for i, j in enumerate(v)) ; sum(ord(i) for i in v) ; len(v)
""")
_WORDS = ["apple", "Berry", "42", "stone", "a1", "River", "cloud", "eat", "7", "oUt", "under", "Queen"]
_WORDS += ["b22", "sea", "mango", "905", "IDEA", "x", "y3", "owl", "Tiger", "are", "one"]
_CHAINS = Chains(STEPS, ENDS, "pstxyz")


@dataclass(frozen=True)
class Strings(ChainFamily):
    """Chains of string operations that end in a text, a list of words or a number."""

    name: ClassVar[str] = "strings"
    chains: ClassVar[Chains] = _CHAINS

    @staticmethod
    def sample_arguments(source: random.Random) -> tuple[object, ...]:
        """Sample the arguments of one call."""
        return (" ".join(source.sample(_WORDS, source.randint(3, 5))),)

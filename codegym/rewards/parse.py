"""Rewards from what is easy to write: a string, a mapping, a function."""

from __future__ import annotations

import ast
import difflib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from codegym.rewards.base import Reward, Term, per_step
from codegym.rewards.registry import REWARDS
from codegym.rewards.validation import check_number
from codegym.step import Step

TermLike = str | Term | Reward | Callable[[Step], float]
RewardLike = TermLike | Mapping[TermLike, float]
_Weighted = tuple[tuple[Term, float], ...]
_FORM = "wanted a sum such as 'outcome + 0.5*psgpo(lambda_fail=0.25)'"


def parse_reward(value: RewardLike) -> Reward:
    """Make a reward from a string, a mapping of terms to weights, a term, a function of a step, or a reward.

    >>> [(term.name, weight) for term, weight in parse_reward("outcome + 0.1*length_penalty(free_tokens=8)").terms]
    [('outcome', 1.0), ('length_penalty', 0.1)]
    >>> [(term.name, weight) for term, weight in parse_reward({"outcome": 1, "process": 0.5}).terms]
    [('outcome', 1.0), ('process', 0.5)]

    A string is a sum of terms of ``REWARDS``, each with a weight and with keyword arguments where wanted. A function is
    a per-step term with its own name, for which lines are scored as they are closed, where there is a line scorer; it
    is not asked about the end of a program that could not be judged. A term that costs, such as ``length_penalty``, is
    negative already.

    Raises:
        ValueError: the string cannot be read, names what does not exist, or has a term twice; a weight or an argument
            is out of range.
        TypeError: ``value`` is none of these.
    """
    return Reward(_weighted(value))


def _weighted(value: object) -> _Weighted:
    if isinstance(value, Reward):
        return value.terms
    if isinstance(value, Term):
        return ((value, 1.0),)
    if isinstance(value, str):
        return _from_text(value)
    if isinstance(value, Mapping):
        return tuple(pair for part, weight in value.items() for pair in _scaled(_weighted(part), weight))
    if callable(value):
        if value in REWARDS.values():  # the function that makes a term, where its term was meant
            return ((value(), 1.0),)
        term = per_step(getattr(value, "__name__", type(value).__name__), value)
        return ((replace(term, needs_scorer=False), 1.0),)  # it may read nothing but the verdict
    raise TypeError(f"no reward can be made from {value!r}: wanted a string, a mapping, a term or a function of a step")


def _scaled(terms: _Weighted, factor: float) -> _Weighted:
    factor = float(check_number("weight", factor))
    return tuple((term, factor * weight) for term, weight in terms)


def _from_text(text: str) -> _Weighted:
    try:
        return _sum(ast.parse(" ".join(text.split()), mode="eval").body)
    except SyntaxError as error:
        raise ValueError(f"the reward {text!r} cannot be read: {error.msg}; {_FORM}") from None
    except ValueError as error:
        raise ValueError(f"in the reward {text!r}: {error}") from None


def _sum(node: ast.expr) -> _Weighted:
    """The terms of an expression with their weights."""
    match node:
        case ast.BinOp(left, ast.Add(), right):
            return _sum(left) + _sum(right)
        case ast.BinOp(left, ast.Sub(), right):
            return _sum(left) + _scaled(_sum(right), -1.0)
        case ast.BinOp(left, ast.Mult(), right) if (factor := _number(left)) is not None:
            return _scaled(_sum(right), factor)
        case ast.BinOp(left, ast.Mult(), right) if (factor := _number(right)) is not None:
            return _scaled(_sum(left), factor)
        case ast.UnaryOp(ast.USub(), operand):
            return _scaled(_sum(operand), -1.0)
        case ast.Name(name):
            return ((_factory(name)(), 1.0),)
        case ast.Call(ast.Name(name), [], keywords):
            return ((_called(name, keywords), 1.0),)
    raise ValueError(f"{ast.unparse(node)!r} is no term and no weight times a term; {_FORM}")


def _number(node: ast.expr) -> float | None:
    """The value of a numeric factor, None for anything else."""
    match node:
        case ast.Constant(int() | float() as value) if not isinstance(value, bool):
            return float(value) if abs(value) < 1e300 else math.inf
        case ast.UnaryOp(ast.USub(), operand):
            factor = _number(operand)
            return None if factor is None else -factor
        case ast.BinOp(left, ast.Mult(), right):
            one, other = _number(left), _number(right)
            return None if one is None or other is None else one * other
    return None


def _factory(name: str) -> Callable[..., Term]:
    if name not in REWARDS:
        raise ValueError(f"there is no term {name!r}{_hint(name, REWARDS)}; there are {', '.join(sorted(REWARDS))}")
    return REWARDS[name]


def _called(name: str, keywords: list[ast.keyword]) -> Term:
    """The term that a call makes, with literal keyword arguments."""
    factory = _factory(name)
    known = inspect.signature(factory).parameters
    arguments = {}
    for keyword in keywords:
        if keyword.arg is None or keyword.arg not in known:
            takes = ", ".join(known) or "no arguments"
            raise ValueError(f"{name} takes {takes}, and no {keyword.arg or '**'!r}{_hint(keyword.arg or '', known)}")
        if keyword.arg in arguments:
            raise ValueError(f"{name} is given {keyword.arg} twice")
        try:
            arguments[keyword.arg] = ast.literal_eval(keyword.value)
        except ValueError:
            written = ast.unparse(keyword.value)
            raise ValueError(f"{keyword.arg}={written} of {name}: wanted a number or a string in quotes") from None
    return factory(**arguments)


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""

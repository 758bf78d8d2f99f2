"""Rewards from strings, mappings and functions."""

from __future__ import annotations

import ast
import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from codegym.plugins import suggest
from codegym.rewards.base import Reward, Term, per_step
from codegym.rewards.registry import REWARDS
from codegym.rewards.validation import check_number
from codegym.step import Step

TermLike = str | Term | Reward | Callable[[Step], float] | Callable[[], Term]
RewardLike = TermLike | Mapping[TermLike, float]
_Weighted = tuple[tuple[Term, float], ...]
_EXPECTED = "expected a sum such as 'outcome + 0.5*psgpo(lambda_fail=0.25)'"
_PATH = re.compile(r"('[^']*'|\"[^\"]*\")|([A-Za-z_][\w.]*:[A-Za-z_][\w.]*)")
"""A quoted text, or the path "package.module:object"."""


def parse_reward(value: RewardLike) -> Reward:
    """Make a reward from a string, a mapping of terms to weights, a term, a function, or a reward.

    >>> [(term.name, weight) for term, weight in parse_reward("outcome + 0.1*length_penalty(free_tokens=8)").terms]
    [('outcome', 1.0), ('length_penalty', 0.1)]
    >>> [(term.name, weight) for term, weight in parse_reward({"outcome": 1, "process": 0.5}).terms]
    [('outcome', 1.0), ('process', 0.5)]

    A string is a sum of terms with optional weights and keyword arguments. A term is named by its key in ``REWARDS``,
    by an entry point of the group "codegym.rewards", or by the path of an object, ``"package.module:object"``.

    A function with a required argument is called with every ``Step`` and returns what that step pays. Lines are scored
    as they are closed if there is a line scorer. The function is not called for the end of a program that could not be
    judged. A function without a required argument makes a term (or a reward), as those of ``REWARDS`` do.

    Args:
        value: A string, a term, a reward, a function, or a mapping from any of these to its weight.

    Raises:
        ValueError: The string cannot be read, names an unknown term, or has a term twice; a weight or an argument is
            out of range.
        TypeError: ``value`` is none of these.
    """
    return Reward(_weighted(value))


def _weighted(value: object) -> _Weighted:
    if isinstance(value, Reward):
        return value.terms
    if isinstance(value, Term):
        return ((value, 1.0),)
    if isinstance(value, str):
        return _Text(value).parse()
    if isinstance(value, Mapping):
        return tuple(pair for part, weight in value.items() for pair in _scaled(_weighted(part), weight))
    if callable(value):
        return ((_per_step(value), 1.0),) if _takes_step(value) else _made_by(value, {})
    raise TypeError(
        f"no reward can be made from this: got {value!r}; expected a string, a term, a reward, a function of a Step, "
        "or a mapping from these to weights"
    )


def _scaled(terms: _Weighted, factor: float) -> _Weighted:
    factor = float(check_number("weight", factor))
    return tuple((term, factor * weight) for term, weight in terms)


def _takes_step(function: Callable[..., object]) -> bool:
    """Return whether a function has a required argument, as a function of a step has."""
    parameters = inspect.signature(function).parameters.values()
    return any(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def _per_step(function: Callable[[Step], float]) -> Term:
    term = per_step(getattr(function, "__name__", type(function).__name__), function)
    return replace(term, needs_scorer=False)  # it may read only the verdict


def _made_by(factory: Callable[..., object], arguments: dict[str, object]) -> _Weighted:
    """Return the terms of the term or reward that a factory makes."""
    made = factory(**arguments)
    if not isinstance(made, Term | Reward):
        name = getattr(factory, "__name__", factory)
        raise TypeError(f"{name}() makes no reward term: got {made!r}; expected a Term or a Reward")
    return _weighted(made)


class _Text:
    """A reward as text. Paths of objects are read as names, since Python's grammar has no colon in an expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.paths: dict[str, str] = {}

    def parse(self) -> _Weighted:
        """Return the terms with their weights."""
        source = _PATH.sub(self._replace_path, " ".join(self.text.split()))
        try:
            return self._sum(ast.parse(source, mode="eval").body)
        except SyntaxError as error:
            raise ValueError(f"the reward cannot be read ({error.msg}): got {self.text!r}; {_EXPECTED}") from None
        except ValueError as error:
            raise ValueError(f"wrong reward {self.text!r}: {error}") from error

    def _replace_path(self, match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        name = f"_path_{len(self.paths)}"
        self.paths[name] = match[2]
        return name

    def _sum(self, node: ast.expr) -> _Weighted:
        """Return the terms of an expression with their weights."""
        match node:
            case ast.BinOp(left, ast.Add(), right):
                return self._sum(left) + self._sum(right)
            case ast.BinOp(left, ast.Sub(), right):
                return self._sum(left) + _scaled(self._sum(right), -1.0)
            case ast.BinOp(left, ast.Mult(), right) if (factor := _number(left)) is not None:
                return _scaled(self._sum(right), factor)
            case ast.BinOp(left, ast.Mult(), right) if (factor := _number(right)) is not None:
                return _scaled(self._sum(left), factor)
            case ast.UnaryOp(ast.USub(), operand):
                return _scaled(self._sum(operand), -1.0)
            case ast.Name(name):
                return _weighted(self._find(name))
            case ast.Call(ast.Name(name), [], keywords):
                return self._call(name, keywords)
        raise ValueError(f"no term and no weight times a term: got {ast.unparse(node)!r}; {_EXPECTED}")

    def _find(self, name: str) -> object:
        return REWARDS.get_plugin(self.paths.get(name, name))

    def _call(self, name: str, keywords: list[ast.keyword]) -> _Weighted:
        """Return the terms that a call with literal keyword arguments makes."""
        factory, name = self._find(name), self.paths.get(name, name)
        if not callable(factory) or isinstance(factory, Term | Reward) or _takes_step(factory):
            raise ValueError(f"{name} takes no arguments: it is {factory!r}, and no function that makes a term")
        return _made_by(factory, _arguments(name, keywords, [*inspect.signature(factory).parameters]))


def _number(node: ast.expr) -> float | None:
    """Return the value of a numeric factor, None for anything else."""
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


def _arguments(name: str, keywords: list[ast.keyword], known: list[str]) -> dict[str, object]:
    """Return the keyword arguments of a call, each a literal."""
    arguments: dict[str, object] = {}
    for keyword in keywords:
        if keyword.arg is None or keyword.arg not in known:
            got = keyword.arg or "**"
            takes = ", ".join(known) or "no arguments"
            raise ValueError(f"unknown argument of {name}: got {got!r}{suggest(got, known)}; expected {takes}")
        if keyword.arg in arguments:
            raise ValueError(f"{name} has {keyword.arg} twice: got both; expected it once")
        try:
            arguments[keyword.arg] = ast.literal_eval(keyword.value)
        except ValueError:
            got = ast.unparse(keyword.value)
            raise ValueError(
                f"wrong {keyword.arg} of {name}: got {got}; expected a number or a text in quotes"
            ) from None
    return arguments

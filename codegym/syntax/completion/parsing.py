"""Whether a logical line can be continued: Python's own parser has to reach its end without an objection.

The parser is asked for the line as it is and, since its last token may be unfinished, for every way to finish that.
"""

from __future__ import annotations

import ast
import keyword
import re
import sys
import token
import warnings
from collections.abc import Iterator
from functools import lru_cache

from codegym.syntax.completion.logical_line import LogicalLine, empty, read

_INCOMPLETE = ast.PyCF_ONLY_AST | 0x4000  # PyCF_ALLOW_INCOMPLETE_INPUT, which codeop uses too
_FAILURES = (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError)
_OPERATORS = tuple(token.EXACT_TOKEN_TYPES)
_WORD = re.compile(r"\w+\Z")
_NUMBER = re.compile(r"(?<!\w)(?:\d\w*\.?\w*|\.\d\w*)(?:(?<=[eE])[+-]\w*)?\Z")
_LETTERS = re.compile(r"[a-z]+\Z")
_OPERATOR = re.compile(r"[-.:!=<>*/+%@&|^]{1,2}\Z")
_PREFIXES = ("b", "br", "f", "fr", "r", "rb", "rf", "u")
_CONVERSION = re.compile(r"(?s)(.*?)\s*(?:=\s*)?(?:!\s*[rsa]?\s*)?\Z")
_MIXED = re.compile(r"(?<!b)''[\s\\]*b''|b''[\s\\]*f?''")


_ANYWHERE = ("async def f():", "for a in a:")
"""Headers under which no word is misplaced."""


@lru_cache(maxsize=1 << 13)
def parses(source: str) -> bool:
    """Whether the parser accepts the ``source``, or reaches its end and wants more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(source, "<program>", "single", _INCOMPLETE, dont_inherit=True)
        except SyntaxError as error:
            return error.msg == "incomplete input"
        except _FAILURES:
            return False
    return True


@lru_cache(maxsize=1 << 10)
def parse_error(source: str) -> str | None:
    """Return the reason why Python does not compile the program ``source``, None if it does."""
    return _why_not(source, "exec", 0)


@lru_cache(maxsize=1 << 12)
def is_expression(source: str) -> bool:
    """Whether the parser accepts the ``source`` as an expression."""
    return _why_not(f"({source}\n)", "eval", ast.PyCF_ONLY_AST) is None


def _why_not(source: str, mode: str, flags: int) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(source, "<program>", mode, flags, dont_inherit=True)
        except _FAILURES as error:
            return getattr(error, "msg", "") or type(error).__name__
    return None


@lru_cache(maxsize=1 << 13)
def can_be_completed(context: str, line: str, headers: tuple[str, ...] = ()) -> bool:
    """Whether a logical line that stops anywhere but in a comment behind a statement can be finished.

    Args:
        context: Lines before it, see ``Outline.context``.
        line: The logical line without its indentation.
        headers: Headers of the blocks around the line, outermost first.
    """
    reading = read(line)
    if reading.broken or not all(map(is_expression, reading.strings)) or not all(map(_is_field, reading.fields)):
        return False
    text = next((number for number, what in enumerate(reading.open) if what[0] not in "({"), None)
    code = reading.code if text is None else reading.code + empty(reading.prefix)
    if _MIXED.search(code) or is_misplaced(reading, headers):
        return False
    if text is None:
        ways = endings(code) if reading.comment < 0 else (code + " ",)  # a comment ends a token
        return any(parses(context + way) for way in ways if not _MIXED.search(way))
    return parses(context + code + " ") and _text_is_viable(reading, line, text)


def endings(code: str) -> Iterator[str]:
    """Yield ``code`` with its last token finished, in every way that there is."""
    yield code + " "
    if match := _NUMBER.search(code):
        yield code + "0 "
        yield code + ".0 "
        yield code + "j "
        letters = _LETTERS.search(match.group())
        yield from _keywords(code, letters.group() if letters else "")
    elif match := _WORD.search(code):
        yield code + "_ "
        yield from _keywords(code, match.group())
        kinds = {empty(prefix) for prefix in _PREFIXES if prefix.startswith(match.group().lower())}
        yield from (code[: match.start()] + kind + " " for kind in sorted(kinds))
    elif match := _OPERATOR.search(code):
        tails = {match.group(), match.group()[-1]}
        yield from (code[: -len(t)] + op + " " for t in tails for op in _OPERATORS if op.startswith(t) and op != t)
        if code.endswith("."):
            yield code + "0 "
    elif code.endswith("\\"):
        yield code + "\n "


def is_number(line: str) -> bool:
    """Whether the ``line`` stops in a number."""
    return _NUMBER.search(line) is not None


def _keywords(code: str, start: str) -> Iterator[str]:
    base = code[: len(code) - len(start)]
    words = (*keyword.kwlist, *keyword.softkwlist) if start else ()
    yield from (base + word + " " for word in words if word.startswith(start) and word != start)


def is_misplaced(reading: LogicalLine, headers: tuple[str, ...]) -> bool:
    """Whether a word of the line needs a function or a loop around it that is missing.

    Args:
        reading: Content of the logical line.
        headers: Headers of the blocks around the line, outermost first.
    """
    code = reading.code
    words = re.findall(
        r"\b(?:return|break|continue|yield|await|nonlocal|async|lambda)\b(?=\W)|import\s*(?:\(\s*)?\*", code
    )
    if not words:
        return False
    own = header_words(code)
    scopes = [h for h in (*headers, own) if h.startswith(("def", "async def", "class"))]
    function = bool(scopes) and not scopes[-1].startswith("class")
    is_async = bool(scopes) and scopes[-1].startswith("async")
    inner = [*headers, own][max((n for n, h in enumerate((*headers, own)) if h in scopes), default=-1) + 1 :]
    loop = any(h.startswith(("for", "while", "async for")) for h in inner)
    bad = {
        "return": not function,
        "break": not loop,
        "continue": not loop,
        "yield": not function and "lambda" not in words,
        "await": not is_async and not reading.open,
        "nonlocal": not any(not h.startswith("class") for h in scopes[:-1]),
        "async": bool(re.match(r"async\s+(?!d)\w", code)) and not is_async,
    }
    return any(bad.get(word, word != "lambda" and bool(scopes)) for word in words)


def header_words(code: str) -> str:
    """Return the first word of ``code`` if it may be a header with its body on the same line, else ""."""
    match = re.match(r"(?:async\s+)?(?:def|class|for|while)\b", code)
    return " ".join(match.group().split()) if match else ""


def _text_is_viable(reading: LogicalLine, line: str, number: int) -> bool:
    """Whether the open string can be closed; ``number`` is its index among what is open."""
    inside = line[reading.starts[number] :]
    if reading.open[number][0] != "f":
        return _plain_is_viable(inside, reading.prefix.lower())
    fields = [place for place in range(number + 1, len(reading.open)) if reading.open[place][0] == "{"]
    if not fields:
        quotes = reading.open[number][1:]
        whole = _UNFINISHED.sub(r"\1", inside.rstrip(quotes[0]) if len(quotes) == 3 else inside)
        ends = ("", "}") if whole == inside else ("",)  # a closing brace is written twice
        return any(is_expression(reading.prefix + quotes + whole + end + quotes) for end in ends)
    first = fields[0]
    if len(reading.open) > first + 1 and reading.open[first + 1][0] == ":":
        if len(fields) < 2:
            return True
        first = fields[1]
    return _field_is_viable(line[reading.starts[first] :], reading.open[number].lstrip("f"))


def _field_is_viable(field: str, quotes: str) -> bool:
    if sys.version_info < (3, 12) and re.search(rf"[\\#]|{quotes}" + (r"|\n" if len(quotes) == 1 else ""), field):
        return False
    within = read("(" + field)
    if not within.open or within.starts[0] != 1:  # a bracket too many
        return False
    return can_be_completed("", "(" + field, _ANYWHERE) or _is_field(field)


def _is_field(field: str) -> bool:
    """Whether the content of the braces of an f-string can be closed: an expression, = and a conversion after it."""
    match = _CONVERSION.match(field)
    return bool(field.strip()) and (is_expression(field) or (match is not None and is_expression(match[1])))


def _plain_is_viable(inside: str, prefix: str) -> bool:
    if "b" in prefix:
        return inside.isascii() and ("r" in prefix or not _BAD_BYTE.search(inside))
    return "r" in prefix or not _BAD_ESCAPE.search(inside)


_EVEN = r"(?s)(?<!\\)(?:\\\\)*\\"
_H = "[0-9a-fA-F]"
_BAD_BYTE = re.compile(_EVEN + rf"x(?!{_H}{{2}}|{_H}?\Z)")
_BAD_ESCAPE = re.compile(
    _EVEN + rf"(?:x(?!{_H}{{2}}|{_H}?\Z)|u(?!{_H}{{4}}|{_H}{{0,3}}\Z)|U(?!00(?:0{_H}|10){_H}{{4}}|0{{0,2}}\Z"
    rf"|000{_H}{{0,4}}\Z|001\Z|0010{_H}{{0,3}}\Z)|N(?!\{{[^{{}}\n'\"]*(?:\}}|\Z)|\Z))"
)
_UNFINISHED = re.compile(r"(?s)(?<!\\)((?:\\\\)*)\\(?:x.?|u.{0,3}|U.{0,7}|N(?:\{[^}]*)?)?\Z")

"""The action mask of completable programs, and the trie of all tokens that it walks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from codegym.syntax.completion.cursor import Cursor, place_of

_RARE = frozenset({*range(128, 256), *range(32), 127} - {*b"\t\n\f\r"})
"""Bytes that mean nothing in code, except those of names outside ASCII."""
_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")


class CompletableMask:
    r"""Mask of the tokens that can come next so that the program can still become a valid one.

    >>> mask = CompletableMask([b"x", b" = ", b")", b"1", b"\n", b""], eos_token_id=5)
    >>> mask.mask(b"x").astype(int)
    array([1, 1, 0, 1, 1, 1])
    >>> mask.mask(b"x = ").astype(int)
    array([1, 0, 0, 1, 0, 0])

    Valid is what Python compiles; the parser of the running Python decides. No token of a valid program is masked.
    After the end of a statement, a completion of the whole program has been compiled, so from there it can be completed
    for certain, but for a ``nonlocal`` whose name a later line must bind. Within a statement only the parser has been
    asked whether it wants more. What the compiler alone refuses is not seen there (``f(a=1, a=``, ``def f(a, a,``), nor
    a name in ``\N{...}`` that Unicode does not know, nor some misplaced ``yield`` and ``await``: such a statement can
    continue but not end, until nothing fits. The number of tokens that a completion takes is not considered.

    A program that is invalid already, and a vocabulary in which nothing fits, is not masked: all tokens that are text
    are allowed, and the end of the program. Grammars of xgrammar, llguidance and outlines do not know Python's layout,
    which is why CPython's own parser is asked here.

    Args:
        token_bytes: Bytes that each token adds to the program.
        eos_token_id: Id of the token that ends the program.
    """

    def __init__(self, token_bytes: Sequence[bytes], eos_token_id: int) -> None:
        self.eos_token_id = eos_token_id
        self._text = np.array([bool(piece) for piece in token_bytes])
        self._text[eos_token_id] = True
        self._text.flags.writeable = False
        self._root = _Node()
        for id, piece in enumerate(token_bytes):
            self._root.add(piece, id)
        self._root.gather()

    def mask(self, text: bytes, remaining: int | None = None, *, preamble: str = "") -> NDArray[np.bool_]:
        """Return the tokens that may follow a completion.

        Args:
            text: The completion so far; it may stop within a character.
            remaining: Tokens left in the budget; with the last one a program that is complete has to end.
            preamble: Source before the completion.

        Returns:
            Array [vocab_size], True for tokens that are allowed.
        """
        whole, unfinished = _decode(preamble.encode() + text)
        place = None if whole is None else place_of(whole)
        if place is None or not (place.can_be_closed() and place.is_viable()):
            return self._text
        allowed = np.zeros_like(self._text)
        allowed[self.eos_token_id] = ends = not unfinished and place.compiles()
        if not (ends and remaining == 1):
            self._walk(self._root, place, unfinished, allowed)
        return allowed if allowed.any() else self._text

    def _walk(self, node: _Node, place: Cursor, unfinished: bytes, allowed: NDArray[np.bool_]) -> None:
        """Allow those tokens below a node that can follow the cursor."""
        letters = bool(node.words.size) and not unfinished and place.takes_all_letters()
        if letters:
            allowed[node.words] = True
        for byte, child in node.children.items():
            if letters and byte in _LETTERS:
                if not child.only_words:
                    self._walk(child, place._replace(tail=place.tail + chr(byte)), b"", allowed)
                continue
            after = _after(place, unfinished + bytes([byte]))
            if after is not None:
                allowed[child.ids] = True
                if child.children:
                    self._walk(child, *after, allowed)


class _Node:
    """Node of the trie: the tokens that end here, and the longer ones below."""

    __slots__ = ("ids", "children", "words", "only_words")

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.children: dict[int, _Node] = {}
        self.words = np.empty(0, np.int64)
        self.only_words = True

    def add(self, piece: bytes, id: int) -> None:
        if not piece:
            return
        node = self
        for byte in piece:
            node = node.children.setdefault(byte, _Node())
        node.ids.append(id)

    def gather(self) -> None:
        """Collect the tokens below that consist of letters only, so that they can be allowed at once."""
        for child in self.children.values():
            child.gather()
        words = [child for byte, child in self.children.items() if byte in _LETTERS]
        self.words = np.array([id for child in words for id in (*child.ids, *child.words)], np.int64)
        self.only_words = len(words) == len(self.children) and all(child.only_words for child in words)


def _after(place: Cursor, character: bytes) -> tuple[Cursor, bytes] | None:
    """Return the cursor after a character of which all bytes or only the first ones are known."""
    if character[0] in _RARE and not _takes_all(place) and (character[0] < 128 or not _takes_names(place)):
        return None
    try:
        after = place.after(character.decode())
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            return None
        in_word = place.tail[-1:].isalnum() or place.tail[-1:] == "_"
        can_follow = _takes_all(place) or character in identifier_bytes()[in_word]
        return (place, character) if can_follow else None
    return None if after is None else (after, b"")


@lru_cache(maxsize=64)
def _takes_all(place: Cursor) -> bool:
    """Whether the program stops in a string or comment, in which a character without meaning in code can follow."""
    return place.after("€") is not None


@lru_cache(maxsize=64)
def _takes_names(place: Cursor) -> bool:
    return place.after("é") is not None


@lru_cache(maxsize=1)
def identifier_bytes() -> tuple[frozenset[bytes], frozenset[bytes]]:
    """Return the first bytes of all characters outside ASCII that can begin a name, and of those that can be in one."""
    found: tuple[set[bytes], set[bytes]] = (set(), set())
    for code in range(128, 0x110000):
        character = chr(code)
        if ("a" + character).isidentifier():
            encoded = character.encode()
            parts = [encoded[:length] for length in range(1, len(encoded))]
            found[1].update(parts)
            if character.isidentifier():
                found[0].update(parts)
    return frozenset(found[0]), frozenset(found[1])


def _decode(program: bytes) -> tuple[str | None, bytes]:
    """Return the text, None if it is no text, and the bytes of an unfinished last character."""
    try:
        return program.decode(), b""
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            return None, b""
        return program[: error.start].decode(), program[error.start :]

"""The completable mask: it lets every valid program through, and what it lets through can be completed."""

from __future__ import annotations

import heapq
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from codegym.syntax.completion import CompletableMask
from codegym.syntax.completion.cursor import Cursor, place_of
from codegym.syntax.completion.logical_line import read
from codegym.tokenizers import ByteTokenizer, Tokenizer, VocabularyTokenizer, train_tokenizer

BYTES = ByteTokenizer()
MASK = CompletableMask(BYTES.token_bytes, BYTES.eos_token_id)
EOS = BYTES.eos_token_id


def compiles(program: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(program, "<program>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            return False
    return True


def allowed(program: str, preamble: str = "") -> str:
    """ASCII characters that the mask allows, ``$`` for the end of the program instead of a dollar sign."""
    mask = MASK.mask(program.encode(), preamble=preamble)
    return "".join(chr(id) for id in range(128) if mask[id] and chr(id) != "$") + "$" * bool(mask[EOS])


def first_masked(program: bytes, tokenizer: Tokenizer, mask: CompletableMask, preamble: str = "") -> int | None:
    """Index of the first token of a program that the mask does not allow, that of the end included."""
    written = b""
    for index, id in enumerate([*tokenizer.encode(program.decode()), tokenizer.eos_token_id]):
        if not mask.mask(written, preamble=preamble)[id]:
            return index
        written += tokenizer.token_bytes[id]
    return None


def test_smallest_use() -> None:
    tokenizer = VocabularyTokenizer(["x", " = ", ")", "1", "\n"])
    mask = CompletableMask(tokenizer.token_bytes, tokenizer.eos_token_id)
    assert mask.mask(b"x").tolist() == [True, True, False, True, True, True]  # xx, x = , x1, the newline, the end
    assert mask.mask(b"x = ").tolist() == [True, False, False, True, False, False]


YES_AND_NO = {
    "start": ("", "a_0'#(@\n $", ")]}=,:!"),
    "operand wanted": ("x = ", "a0'([{-~\\", ")=,:\n$#"),
    "closing bracket must fit": ("f(a[0", "],.:+", ")}$"),
    "bracket": ("f(a[0]", "),[\n#", "]}:;$"),
    "dictionary or set": ("{a", ":,}", ")$;"),
    "keyword only": ("for i i", "n", "a("),
    "number": ("0", "xboae.j_09", "cd'"),
    "exponent": ("1e", "5+-", "a.\n$"),
    "operator in two parts": ("x !", "=", "a! \n$"),
    "return in no function": ("return", "_s", " ;\n$("),
    "return in a class": ("class A:\n return", "_", " \n"),
    "break in no loop": ("if x:\n  break", "_", "\n;"),
    "break in a loop": ("for x in y:\n  if x: break", "\n;$", "="),
    "statement after try": ("try:\n  x\n", "ef \n#", "axy@('$"),
    "except after try": ("try:\n  x\nexcep", "t", " \n"),
    "block wanted": ("def f():\n", " \t\n#", "ax@$"),
    "inside a block": ("def f():\n  x\n", " r\n$@", "="),
    "else after if": ("if x: y\nels", "e_", '"'),
    "else after else": ("if x: y\nelse: z\nelse", "_", ": \n"),
    "no such block": ("if x:\n    y\n  ", " \n#\t", "a("),
    "case wanted": ("match x:\n  ", "c#\n ", "abx1("),
    "decorated": ("@f\n", "adc@#\n", "b($1"),
    "string": ("x = 'a", "b'\\\"(", "\n\0$"),
    "string of bytes": ("b'", "a'", "\n$"),
    "escape": ("'\\x4", "1aF", "g'"),
    "long string": ("'''a", "\n'b", "\0$"),
    "comment": ("x # a", "'(\n$", "\0"),
    "comment in the middle": ("x = ", "1", "#"),
    "comment in a bracket": ("f( # a", "\n)", "$"),
    "field": ("f'{", "a(", "}'\n:$"),
    "field with a name": ("f'{a", "}.(:!=", "'\n)"),
    "conversion": ("f'{a!", "rsa=", "xb}"),
    "format": ("f'{a:", ">}{#", "\n"),
    "backslash": ("x = \\", "\n", " a1"),
    "pass is not a target": ("pass", "\n_;$", "=("),
    "word is no target": ("pass ", ";\n$", "=(a"),
    "positional after keyword": ("f(a=1, b", "=_", ")"),
    "starred": ("*a", ",.", "\n$"),
}


@pytest.mark.parametrize(("program", "yes", "no"), YES_AND_NO.values(), ids=YES_AND_NO.keys())
def test_mask(program: str, yes: str, no: str) -> None:
    found = allowed(program)
    assert set(yes) <= set(found)
    assert not set(no) & set(found)


def test_end_only_where_the_whole_program_compiles() -> None:
    assert "$" in allowed("x = 1") and "$" in allowed("x = 1\n")
    assert "$" not in allowed("x = ") and "$" not in allowed("if x:\n") and "$" not in allowed("try: x\n")
    assert "$" in allowed("    return x", preamble="def f(x):\n")
    assert "$" not in allowed("", preamble="def f(x):\n")


def test_preamble_is_what_the_completion_goes_on_with() -> None:
    preamble = 'def f(x):\n    """Doc.\n\n    >>> f(1)\n    """\n'
    assert {" ", "\n", "#"} <= set(allowed("", preamble=preamble))
    assert "r" in allowed("    ", preamble=preamble) and "r" not in allowed("  ", preamble=preamble)
    assert set("_ \n;") <= set(allowed("    return", preamble=preamble))
    assert "=" not in allowed("    return", preamble=preamble)


def test_with_the_last_token_a_valid_program_ends() -> None:
    assert np.flatnonzero(MASK.mask(b"x = 1", 1)).tolist() == [EOS]
    assert MASK.mask(b"x = 1", 2).sum() > 1
    assert MASK.mask(b"x = ", 1).sum() > 1


def test_a_program_that_is_lost_is_not_masked() -> None:
    text_and_end = np.ones(257, bool)
    for lost in (b"x = )", b"1 = 2\n", b"\xff", b"x = '\n", b" x", b"if x:\ny"):
        assert (MASK.mask(lost) == text_and_end).all()


def test_vocabulary_in_which_nothing_fits_is_not_masked() -> None:
    tokenizer = VocabularyTokenizer(["x", " "])
    assert CompletableMask(tokenizer.token_bytes, 2).mask(b"x x").all()


def test_characters_in_parts() -> None:
    after = MASK.mask("ä".encode()[:1])
    assert after[0xA4] and not after[0x41] and not after[EOS]
    assert not MASK.mask(b"x = (")[0xCC]  # begins only characters that cannot begin a name
    assert MASK.mask(b"x")[0xCC] and MASK.mask(b"'")[0xE2] and MASK.mask(b"# ")[0xF0]
    assert not MASK.mask(b"b'")[0xC3]


def test_letters_at_once_and_one_by_one_agree() -> None:
    words = ["a", "if", "else", "in", "x1", "is not", "r'", "b''", "or x", "not"]
    tokenizer = VocabularyTokenizer(words)
    mask = CompletableMask(tokenizer.token_bytes, tokenizer.eos_token_id)
    for program in ("", "x", "x ", "1", "x = ", "'a' ", "'", "for i ", "f(", "0x", "[x for x ", "# "):
        single = [place_of(program + word).is_viable() for word in words]
        assert mask.mask(program.encode())[:-1].tolist() == single, program


VALID = [
    "async def f():\n  async with a as b, c:\n    await x\n  return [x async for x in y if await z]\n",
    "def f():\n  def g():\n    nonlocal x\n    x = 1\n  x = 2\n  g = (yield x)\n  yield from x\n",
    "def f(a, /, b: int = 1, *args: x, c, **d) -> int:\n\treturn lambda *a, b=1, **c: (a, b, c)\n",
    "try:\n  pass\nexcept (A, B) as e:\n  raise X from e\nexcept C: pass\nelse:\n  x\nfinally:\n  y\n",
    "try: x\nexcept* A: y\n",
    "match x:\n  case [1, *a] | {'b': 2, **a} if d:\n    x\n  case A(b=-1+2j) as y: pass\n  case _: 1\nmatch = 1\n",
    'x = f\'{a!r:>{b}}{{}} {c=} {d[0]:%Y-%m}\' rf\'\\{x}\' f"""{\na\n}"""\n',
    "x = '\\x41\\u00e4\\U0001F600\\N{DIGIT ONE}\\'\\\n' if 0 else b'\\xff' rb'\\x'\n",
    "x: int\ny: list[int] = [1_000, 0x1F, 0b1, 0o7, 1.5e-3j, .5, 1., 0777.0, 00]\nz = 1if x else 2\n",
    "a, *b = c = d\nx = y = *a, b\nx @= y; x //= 2; x >>= 1; x **= 2\ndel a[0], b.c, (d)\n",
    "if (n := 10) > 5 and not x is not y or x not in z: pass\nelif x: ...\nelse: pass\n",
    "with (open(a) as b,\n      c): pass\nfor x, in y: break\nelse: z\nwhile 1: continue\n",
    "@a.b(c)\n# comment\n\n@d\nclass A(B, metaclass=C):\n    '''Doc.'''\n\n    x = 1\n  # odd\n    def f(s): x\n",
    "from . import a\nfrom ..b import (c as d,\n e,)\nimport f.g as h, i\nfrom x import *\n",
    "x = [a[1:2, ::3, ...] for a in b for c in d if e], {**a, 'b': 1}, {*a}, (yield_ for yield_ in x), ()\n",
    "x = a \\\n  + b\nif x:\n\ty = {\n'a': 1,\n\n# comment\n}\n",
    "grüße = größe_1 = ªº = 'ßé€🙂'  # ∀🙂\n",
    "print(*a, c=1, *d, **b)\nassert x, 'y'\nglobal z\nlambda: (yield)\nraise\n",
    "def f():\n    return f'{(yield)} {lambda_}' + f'{ {1: 2}[1] }'\n\x0c\ndef g(): pass\n",
    "if x:\r\n  y = '''a\r\nb'''\r\n\r\nelse:\r\n  z\r\n",
    "class A:\n  async def f(self): return (await x for x in y)\n",
    "def f():\n  return (a async for a in b)\n",
    "x = not-1 < ~2 != 3 -4 ** -5 ; y = x if x else(y)or[z]\n",
]


@pytest.mark.parametrize("program", VALID, ids=range(len(VALID)))
def test_no_token_of_a_valid_program_is_masked(program: str) -> None:
    assert compiles(program)
    assert first_masked(program.encode(), BYTES, MASK) is None


def gold(shared_data: Path) -> list[str]:
    return [json.loads(line)["code"] for line in (shared_data / "mbpp.jsonl").read_text("utf-8").splitlines()]


def test_no_character_of_a_gold_program_is_masked(shared_data: Path) -> None:
    for program in gold(shared_data)[::8]:
        place = place_of("")
        for index, character in enumerate(program.replace("\r\n", "\n")):
            place = place.after(character)
            assert place is not None, program[: index + 1]
        assert place.compiles(), program


def test_no_token_of_a_gold_program_is_masked(shared_data: Path, tmp_path: Path) -> None:
    programs = gold(shared_data)
    bpe = train_tokenizer(programs, 1000, tmp_path)
    masked = CompletableMask(bpe.token_bytes, bpe.eos_token_id)
    for program in programs[5:400:130]:
        assert first_masked(program.encode(), bpe, masked) is None
        assert first_masked(program.encode()[:40], BYTES, MASK) in (None, 40)


PIECES = [
    *")]}'\":\n",
    "'''",
    '"""',
    ",",
    ".x",
    " x",
    "x",
    "0",
    "=x",
    " in x",
    " else x",
    " import x",
    "()",
    ": pass",
    "if",
]


def completions(place: Cursor) -> Iterator[str]:
    """Go through ways to go on, those first that leave little open and are short."""
    waiting: list[tuple[int, int, str, Cursor]] = [(0, 0, "", place)]
    for _ in range(2000):
        if not waiting:
            return
        _, num_pieces, more, place = heapq.heappop(waiting)
        ended = place.after_newline()
        if ended is not None and not ended.outline.line:
            yield more + "\n" + ended.outline.closing()
        in_comment = read((place.outline.line + place.tail).lstrip()).comment >= 0
        for piece in ["\n"] if in_comment else PIECES:
            after: Cursor | None = place
            for character in piece:
                after = after and after.after(character)
            if after is not None:
                num_open = len(read((after.outline.line + after.tail).lstrip()).open)
                heapq.heappush(waiting, (num_pieces + 1 + 4 * num_open, num_pieces + 1, more + piece, after))


def complete(program: str) -> str | None:
    """Give a completion that makes the program compile; None where none was found."""
    return next((more for more in completions(place_of(program)) if compiles(program + more)), None)


def walk(seed: int, preamble: str = "") -> str:
    """60 characters drawn from what the mask allows, those that programs are made of more often."""
    rng = np.random.default_rng(seed)
    weights = np.zeros(257)
    weights[10:127] = 1
    weights[[*b"abcdefghijklmnopqrstuvwxyz\n ()[]:=,.'\""]] = 4
    written = b""
    while len(written) < 60:
        mask = MASK.mask(written, preamble=preamble)
        assert not mask.all(), (preamble, written)
        chances = weights * mask
        written += bytes([rng.choice(257, p=chances / chances.sum())])
    return written.decode()


@pytest.mark.parametrize("preamble", ["", "def f(x):\n    '''Doc.'''\n    for y in x:\n"], ids=["module", "function"])
def test_masked_random_programs_can_be_completed(preamble: str) -> None:
    programs = [preamble + walk(seed, preamble) for seed in range(20)]
    lost = [program for program in programs if complete(program) is None]
    assert len(lost) <= 1, lost  # what only the compiler refuses, and what the search here does not find

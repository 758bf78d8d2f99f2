"""Kinds of lines: as ``tokenize`` and ``ast`` see them where a program is valid, and at a cost of its length always."""

from __future__ import annotations

import ast
import io
import json
import tokenize
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegym.syntax.lines import INITIAL_STATE, MAX_DEPTH, LexerState, LineKind, line_kind, line_kinds, split_lines

LETTERS = {"code": "x", "blank": "_", "comment": "#", "docstring": '"', "continuation": ">"}


def letters(text: str) -> str:
    """One letter for each line: x code, _ blank, # comment, " docstring, > continuation."""
    return "".join(LETTERS[kind] for kind in line_kinds(text))


def test_smallest_use() -> None:
    kind, state = line_kind("total = sum(\n", INITIAL_STATE)
    assert kind is LineKind.CONTINUATION and state.open == ("(",)
    assert line_kind("    values)\n", state) == (LineKind.CODE, INITIAL_STATE)


TABLE = {
    "empty program": ("", ""),
    "code": ("x = 1\nif x:\n    pass\n@f\ndef g(): ...\n", "xxxxx"),
    "last line without newline": ("x\ny", "xx"),
    "last line is blank": ("x\n  ", "x_"),
    "blank": ("\n  \n\t\n\x0c\n \x0c\n\r\n", "______"),
    "comment": ("# a\n   # b\nx  # c\n\x0c# d\n# '''\n# (\n", "##x###"),
    "docstring": ("'a'\n'''b'''\nr'c' # d\nU'e' rb\"f\"\n", '""""'),
    "docstring of several lines": ("'''a\n\n# b\n'''\nx\n", '>>>"x'),
    "docstring in brackets": ("('a'\n 'b')\n( # c\n'd'\n)\n", '>">>"'),
    "several docstrings": ("'a'; 'b'\n'c';\n", '""'),
    "string that is no docstring": ("x = 'a'\n'a'.b\n'a',\n'a' % b\n-'a'\n['a']\n{'a'}\n'a'('b')\n'a'; f()\n", "x" * 9),
    "nothing but brackets": ("()\n(\n)\n[]\n;\n", "x>xxx"),
    "f-string that evaluates": ("f'{g()}'\nF'''{x}\n'''\n'a' f'{x}'\n", "x>xx"),
    "f-string that evaluates nothing": ("f'a{{b}}'\nrf'\\d{{2}}'\n", '""'),
    "brackets": ("f(\n\n# a\n  1,\n)\n", ">>>>x"),
    "brackets in strings and comments": ("x = '('\nx # (\nx = \"]\"\ny\n", "xxxx"),
    "unmatched closing bracket": (")\n}]\nx\n(\n)\n", "xxx>x"),
    "brackets of other kinds": ("(]\nx\n", "xx"),
    "backslash": ("x = 1 + \\\n 2\ny\n", ">xx"),
    "backslash before a blank line": ("x \\\n\ny\n", ">xx"),
    "backslash alone": ("\\\n\nx\n", ">_x"),
    "backslash after a string": ("'a' \\\n'b'\n'a' \\\n.b\n", '>">x'),
    "backslash before something else": ("x \\ \nx \\y\n", "xx"),
    "backslash in a comment": ("# a \\\nx\n", "#x"),
    "backslash at the end of the program": ("x \\", "x"),
    "string goes on after a backslash": ("x = 'a\\\nb'\n'a\\\r\nb'\n", '>x>"'),
    "escapes": (r"""x = '\'('""" + "\n" + r'''y = "\\"''' + "\nz = r'\\'('\nw\n", "xxxx"),
    "string without an end": ("x = 'a\ny\nx = \"\nz\n", "xxxx"),
    "string without an end in brackets": ("f('a\ny\n", "xx"),
    "string without an end at the end": ("x = 'a", "x"),
    "string without an end after a backslash": ("x = 'a\\\nb\nc\n", ">xx"),
    "triple string without an end": ("'''\nx\n'\n''\n\"\"\"", ">>>>>"),
    "triple string without an end after a backslash": ("x = '''a\\", ">"),
    "quotes in a triple string": ("x = '''a'b''c\\'''d\n'''\ny\n", ">xx"),
    "empty strings": ("''\n\"\"\n''''''\n'' ''\n", '""""'),
    "letters that are no prefix": ("of'('\nx = xf'{'\nx = bu'{'\n'('\n", 'xxx"'),
    "CRLF": ("x = (\r\n1)\r\n\r\n# a\r\n'''b\r\n'''\r\n", '>x_#>"'),
    "carriage return alone": ("# a\rx\n# a\r# b\n# '''\r'''\n'''\n# (\r(\n)\n", 'x#>">x'),
    "NUL and other odd characters": ("\x00\n\ufeffx\nä = 1\n\u2028\n\xa0\n", "xxxxx"),
    "statements on one line": ("x = 1; y = (\n2); z\n", ">x"),
    "nested quotes in an f-string": ("x = f'{a[\"b\"]}('\ny\n", "xx"),
    "format in an f-string": ("x = f'{a:\">{b}}{c!r:#x}('\ny\n", "xx"),
    "dictionary in an f-string": ("x = f'{ {1: 2}[1] }('\ny\nz = f'{(lambda x: 1)(2):3}('\ny\n", "xxxx"),
    "fields over several lines": ("f'''{\nx\n:\n{y}}\n'''\nz\n", ">>>>xx"),
    "unicode name in an f-string": (r"f'\N{DIGIT ONE}'" + "\n" + r"x = f'\{y}('" + "\n" + r"f'\''", '"x"'),
    "f-string without an end": ("f'{x\nf'a\nf'{x:\ny\n", ">xxx"),
}


@pytest.mark.parametrize(("text", "expected"), TABLE.values(), ids=TABLE.keys())
def test_kinds(text: str, expected: str) -> None:
    assert letters(text) == expected


def test_quotes_of_an_f_string_may_stand_in_its_fields() -> None:
    assert letters("x = f'{a['(']}'\ny = f'{f'{f'('}'}'\nz\n") == "xxx"  # as in Python 3.12


NOTHING = {tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}


def reference(text: str) -> str:
    """Letters of a valid program: a statement ends where ``tokenize`` says NEWLINE, strings are what ``ast`` says."""
    text = (
        text.removesuffix("\n").removesuffix("\r") + "\n" if text else ""
    )  # tokenize tells nothing of a cut blank line
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes
        statements = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)]
    found = [">"] * len(split_lines(text))
    logical: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
        row = token.start[0]
        if token.type not in NOTHING:
            logical.append(token)
        elif not logical and row <= len(found) and token.type in (tokenize.NL, tokenize.COMMENT):
            found[row - 1] = "#" if token.type == tokenize.COMMENT or found[row - 1] == "#" else "_"
        if token.type == tokenize.NEWLINE:
            begun = [node for node in statements if logical[0].start[0] <= node.lineno <= row]
            inert = logical[0].string[-1] in "'\"(" and begun and all(map(is_inert, begun))
            found[row - 1] = '"' if inert else "x"
            logical = []
    return "".join(found)


def is_inert(node: ast.stmt) -> bool:
    value = getattr(node, "value", None) if isinstance(node, ast.Expr) else None
    if isinstance(value, ast.JoinedStr):
        return all(isinstance(part, ast.Constant) for part in value.values)
    return isinstance(value, ast.Constant) and isinstance(value.value, str | bytes)


def test_kinds_of_the_programs_of_mbpp_are_those_of_tokenize(shared_data: Path) -> None:
    rows = [json.loads(line) for line in (shared_data / "mbpp.jsonl").read_text("utf-8").splitlines()]
    programs = [row["code"] for row in rows]
    assert len(programs) == 974
    assert [text for text in programs if letters(text) != reference(text)] == []


@pytest.mark.parametrize("module", ["argparse", "ast", "dataclasses", "functools", "textwrap", "tokenize", "typing"])
def test_kinds_of_the_standard_library_are_those_of_tokenize(module: str) -> None:
    text = Path(ast.__file__).with_name(f"{module}.py").read_text("utf-8")
    assert letters(text) == reference(text)


PIECES = [
    "x = 1\n",
    "x = (1 +\n\n  # a (\n 2)\n",
    "\n",
    " \t\n",
    "\x0c\n",
    "# ' (\n",
    "'a'\n",
    "'a' \\\n 'b'  # c\n",
    "(\n'a'\n)\n",
    '"""a\n# b\n"""\n',
    "x = rb'\\'' + b\"(\"\n",
    "x = 'a\\\nb'; 'c'\n",
    'x = f\'{x!r:{x}}}}{{\' f"""{\n[x]\n:>{x}} \'"\n"""\n',
    "f'a{{'\n",
    "'a'; b''\n",
    "assert x, \\\n'a'\n",
    "@x\ndef f(a={'b': ')'}): 'c'\n",
    "if x:\n  '''a'''\n  # b\n\n  x\n",
    "def f():\n\t'''a\n\n'''\n\treturn x\n",
    "match x:\n  case [1,\n   2]: 'a'\n",
    "x = '\ud7ff🙂' ; y = {\n'a': lambda: (\n1), }\n",
]


@given(st.lists(st.sampled_from(PIECES)), st.booleans())
def test_kinds_of_glued_statements_are_those_of_tokenize(pieces: list[str], cut: bool) -> None:
    text = "".join(pieces)
    text = text[:-1] if cut else text
    assert letters(text) == reference(text)


@given(st.lists(st.sampled_from(PIECES)))
def test_line_ends_of_windows_change_nothing(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert line_kinds(text.replace("\n", "\r\n")) == line_kinds(text)


NASTY = st.text("'\"\\\n\r#([{}])f: xR;", max_size=60) | st.text(max_size=20)


@given(NASTY)
def test_any_text_has_one_kind_for_each_line(text: str) -> None:
    assert "".join(split_lines(text)) == text
    assert len(line_kinds(text)) == len(split_lines(text))


@given(NASTY, NASTY)
def test_later_lines_do_not_change_earlier_ones(text: str, more: str) -> None:
    assert line_kinds(text + "\n" + more)[: text.count("\n") + 1] == line_kinds(text + "\n")


@pytest.mark.parametrize("line", ['"""\n', "(" * 50 + "\n", "f'{" * 50, 'f"""{' * 20 + "\n", "x\n", "'\\\n"])
def test_state_is_bounded_whatever_came_before(line: str) -> None:
    # with a state of bounded size and no look back, a line costs what it is long
    state = INITIAL_STATE
    for _ in range(500):
        _, state = line_kind(line, state)
        assert len(state.open) <= MAX_DEPTH
        assert all(len(entry) <= 4 for entry in state.open)


def test_long_lines_and_short_ones_are_read_alike() -> None:
    # long ones are not remembered
    assert letters("x = '" + "a" * 1000 + "' + (\n" + " " * 1000 + "\n)\n") == ">>x"
    assert line_kind("#" + " " * 1000) == (LineKind.COMMENT, LexerState())

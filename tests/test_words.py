"""Docstrings, help texts and messages are plain sentences, with all arguments and errors, in no private dialect."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("codegym", "agents", "examples", "benchmarks")
FILES = sorted(file for package in PACKAGES for file in ROOT.glob(f"{package}/**/*.py"))
# The box and the oracles run inside the sandbox and benchmarks are programs: none has a public function.
PROGRAMS = (ROOT / "codegym/sandbox/box", ROOT / "codegym/tasks/datasets/plus_oracle.py", ROOT / "benchmarks")
LIBRARY = [file for file in FILES if not any(file.is_relative_to(folder) for folder in PROGRAMS)]

# "where" may name a place; as "if" or "when" it makes a riddle of a sentence.
PLACES = [
    "folder",
    "file",
    "place",
    "position",
    "line",
    "lines",
    "index",
    "token",
    "tokens",
    "machine",
    "directory",
    "module",
    "path",
    "point",
    "host",
    "row",
]
NOT_A_PLACE = "".join(rf"(?<!\b{place} )" for place in PLACES)
BANNED = {
    "told, tell, tells": r"\b(?:told|tells?|telling)\b",
    "said, say, says": r"\b(?:said|says?|saying)\b",
    "stand, stands, stood": r"\b(?:stands?|stood)\b(?!-)",
    "lie, lies": r"\blies?\b",
    "goes on, go on": r"\b(?:goes|go|went|going) on\b",
    "so many": r"\bso many\b",
    "nobody, whoever": r"\b(?:nobody|whoever)\b",
    "what came of": r"\b(?:what|which) (?:came|comes|became|becomes) of\b",
    "look at": r"\blook(?:s|ed|ing)? at\b",
    "dear (expensive)": r"\bdear(?:er)?\b",
    "ahead": r"\bahead\b",
    "facts": r"\bfacts?\b",
    "hand (worker)": r"(?<!by )(?<!other )(?<!one )(?<!right-)(?<!left-)\bhands?\b(?!-)",
    "where (if, when)": rf"{NOT_A_PLACE}(?<!np\.)(?<!torch\.)\bwhere\b(?!\()",
    "Give, gives (return)": r"\A(?:Gives?)\b",
}
FRAGMENT = re.compile(r"\A(?:of|how|as|where|what|whose|that|which|and|or|but|from|since)\b", re.IGNORECASE)
SECTION = re.compile(r"^\s*(Args|Arguments|Returns|Raises|Yields|Attributes|Example|Examples|Note|Notes):\s*$")
CODE = re.compile(r"``[^`]+``|`[^`]+`|^\s*>>>.*$|^\s*\.\.\. .*$|\"[^\"\n]*\"", re.MULTILINE)


def prose(text: str) -> str:
    """Leave out code and quotations."""
    return CODE.sub("x", text)


def banned_words(text: str) -> list[str]:
    words = prose(text)
    return [word for word, pattern in BANNED.items() if re.search(pattern, words)]


def is_public(name: str) -> bool:
    return not name.startswith("_")


class Documented(NamedTuple):
    """A class or function with its docstring; ``owner`` is the class that a method is in."""

    name: str
    node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    owner: ast.ClassDef | None
    is_public: bool

    @property
    def doc(self) -> str:
        return ast.get_docstring(self.node) or ""


def documented(tree: ast.AST, owner: ast.ClassDef | None = None, public: bool = True) -> Iterator[Documented]:
    """Classes and functions of a module, methods included, functions inside of functions left out."""
    for node in getattr(tree, "body", []):
        if isinstance(node, ast.ClassDef):
            shown = public and is_public(node.name)
            yield Documented(node.name, node, owner, shown)
            yield from documented(node, node, shown)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{owner.name}.{node.name}" if owner else node.name
            yield Documented(name, node, owner, public and is_public(node.name))
        elif isinstance(node, ast.If | ast.Try):
            yield from documented(node, owner, public)


def entries(doc: str, section: str) -> dict[str, str]:
    """Name -> text of the entries of a section of a Google docstring."""
    found: dict[str, str] = {}
    inside, name = False, ""
    for line in doc.splitlines():
        if match := SECTION.match(line):
            inside = match[1] == section
        elif inside and (match := re.match(r"^ {4}\*{0,2}([\w., ]+?)(?: \([^)]*\))?:\s*(.*)$", line)):
            name = match[1]
            found[name] = match[2]
        elif inside and line.startswith("     ") and name:
            found[name] += " " + line.strip()
        elif inside and line.strip() and not line.startswith(" "):
            inside = False
    return found


def arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    given = node.args
    names = [arg.arg for arg in [*given.posonlyargs, *given.args, *given.kwonlyargs]]
    names += [arg.arg for arg in (given.vararg, given.kwarg) if arg is not None]
    return [name for name in names if name not in ("self", "cls") and is_public(name)]


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """What a function does itself: functions inside of it are left out."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield child
            yield from own_nodes(child)


NO_USER_ERRORS = {"NotImplementedError", "AssertionError", "StopIteration", "SystemExit"}


def raised(node: ast.AST) -> set[str]:
    """Names of the exceptions that a function makes and raises."""
    found = set()
    for inner in own_nodes(node):
        if isinstance(inner, ast.Raise) and isinstance(inner.exc, ast.Call):
            name = ast.unparse(inner.exc.func).rpartition(".")[2]
            if name[:1].isupper() and name not in NO_USER_ERRORS:
                found.add(name)
    return found


def fields(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Strings below the fields of classes and the names of modules: their documentation, and the help of options."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef) and isinstance(body, list):
            for before, after in itertools.pairwise(body):
                if (
                    isinstance(before, ast.AnnAssign | ast.Assign)
                    and isinstance(after, ast.Expr)
                    and isinstance(after.value, ast.Constant)
                    and isinstance(after.value.value, str)
                ):
                    target = before.target if isinstance(before, ast.AnnAssign) else before.targets[0]
                    yield ast.unparse(target), after.value.value


def messages(tree: ast.AST) -> Iterator[str]:
    """Text of exceptions and warnings."""
    for node in ast.walk(tree):
        is_warning = isinstance(node, ast.Call) and ast.unparse(node.func) in ("warnings.warn", "warn")
        if is_warning or (isinstance(node, ast.Raise) and node.exc is not None):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                    yield inner.value


def documents_arguments(item: Documented, bases: set[str]) -> list[str]:
    """Arguments of a public function that its docstring leaves out, or explains in fewer than three words."""
    assert not isinstance(item.node, ast.ClassDef)
    names = arguments(item.node)
    described = {name.strip(): text for key, text in entries(item.doc, "Args").items() for name in key.split(",")}
    if item.node.name in bases and not described:  # an override means what the method of the protocol means
        return []
    only = item.node.args.args[-1:]
    if len(names) == 1 and only and only[0].annotation and ast.unparse(only[0].annotation).lower() == names[0]:
        return []  # ``sandbox: Sandbox`` is explained by its class
    summary = item.doc.partition("\n\n")[0]
    if len(names) == 1 and re.search(rf"\b{names[0]}\b", summary):
        return []
    return [f"{item.name}({name})" for name in names if len(described.get(name, "").split()) < 3]


def is_override(node: ast.AST) -> bool:
    return any("override" in ast.unparse(item) for item in getattr(node, "decorator_list", []))


TREES = {file: ast.parse(file.read_text("utf-8")) for file in FILES}
ITEMS = {file: [*documented(tree)] for file, tree in TREES.items()}
# Methods with documented arguments somewhere in a class: what overrides or implements them need not repeat that.
PROTOCOL_METHODS = {
    item.node.name
    for items in ITEMS.values()
    for item in items
    if item.owner is not None and item.is_public and entries(item.doc, "Args")
}


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_words_are_plain(file: Path) -> None:
    tree = TREES[file]
    texts = [(module_of(file), ast.get_docstring(tree) or "")]
    texts += [(item.name, item.doc) for item in ITEMS[file]]
    texts += [*fields(tree), *(("message", text) for text in messages(tree))]
    found = {f"{name}: {text[:60]!r}": words for name, text in texts if (words := banned_words(text))}
    assert not found


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_no_description_is_a_fragment(file: Path) -> None:
    described = [*fields(TREES[file])]
    for item in ITEMS[file]:
        described += [(f"{item.name}({name})", text) for name, text in entries(item.doc, "Args").items()]
    assert not [f"{name}: {text[:60]}" for name, text in described if FRAGMENT.match(text.strip())]


@pytest.mark.parametrize("file", LIBRARY, ids=module_of)
def test_arguments_and_errors_are_documented(file: Path) -> None:
    missing = []
    for item in ITEMS[file]:
        if isinstance(item.node, ast.ClassDef):
            inside = [node for node in item.node.body if isinstance(node, ast.FunctionDef)]
            made = [node for node in inside if node.name in ("__init__", "__post_init__", "__new__")]
            wanted = {name for node in made for name in raised(node)}
            if item.is_public:
                args = {key.strip() for keys in entries(item.doc, "Args") for key in keys.split(",")}
                taken = [name for node in made if node.name == "__init__" for name in arguments(node)]
                missing += [f"{item.name}({name})" for name in taken if name not in args]
        elif item.is_public and not is_override(item.node):
            wanted = raised(item.node)
            missing += documents_arguments(item, PROTOCOL_METHODS if item.owner else set())
        else:
            continue
        if item.is_public:
            known = " ".join(entries(item.doc, "Raises"))
            missing += [f"{item.name} raises {name}" for name in wanted if not re.search(rf"\b{name}\b", known)]
    assert not missing


def test_the_checks_find_what_they_are_for() -> None:
    assert banned_words("The file where it is kept.") == []
    assert banned_words("None where it failed, as the docs say.") == ["said, say, says", "where (if, when)"]
    assert FRAGMENT.match("Of the policy.")
    doc = "Add.\n\nArgs:\n    a: The first number.\n    b: Second.\n\nRaises:\n    ValueError: They differ."
    assert entries(doc, "Args") == {"a": "The first number.", "b": "Second."}
    assert entries(doc, "Raises") == {"ValueError": "They differ."}
    code = f'def add(a, b):\n    """{doc}"""\n    raise TypeError("no")\n'
    (item,) = documented(ast.parse(code))
    assert documents_arguments(item, set()) == ["add(b)"]
    assert raised(item.node) == {"TypeError"}

"""Imports point one way, ``import codegym`` stays light, files and functions stay small, nothing private leaks."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEARNERS = {"torch", "transformers", "tokenizers", "stable_baselines3", "trl", "ray"}
HEAVY = LEARNERS | {"docker", "datasets", "PIL", "jinja2"}
BOX = "codegym.sandbox.box"
# Packages and modules of codegym from the bottom to the top; each imports only itself and what is before it.
ORDER = (
    "errors",
    "jsonl",
    "plugins",
    "tasks",
    "syntax",
    "tokenizers",
    "sandbox",
    "judge",
    "step",
    "sampling",
    "scorers",
    "rewards",
    "render",
    "envs",
    "evaluation",
    "adapters",
    "testing",
    "cli",
)
# Whole trees above codegym, from the bottom to the top.
TREES_ABOVE = ("codegym", "agents", "examples", "benchmarks")


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FOREIGN = ROOT / "benchmarks/reliability/equality/before_layout.py"
"""Runs in a checkout of an earlier commit, whose modules it imports."""
TREES = {
    module_name(file): (file, ast.parse(file.read_text("utf-8")))
    for file in (file for tree in TREES_ABOVE for file in ROOT.glob(f"{tree}/**/*.py"))
    if file != FOREIGN
}


def imported(node: ast.AST, module: str) -> Iterator[str]:
    """Full names that ``node`` imports; ``from a import b`` gives ``a.b`` where that is our module, else ``a``."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        package = module if TREES[module][0].name == "__init__.py" else module.rpartition(".")[0]
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        source = ".".join([*above, *filter(None, [node.module])])
        for alias in node.names:
            yield f"{source}.{alias.name}" if f"{source}.{alias.name}" in TREES else source


def at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes, without those that only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if not is_for_type_checkers(node):
            yield node
            yield from at_run_time(node)


def is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


IMPORTS = {name: {i for node in at_run_time(tree) for i in imported(node, name)} for name, (_, tree) in TREES.items()}


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def test_imports_have_no_cycle() -> None:
    # sorts, or raises CycleError with the cycle; a package that gathers names from its own modules is above them
    list(TopologicalSorter({name: found & TREES.keys() - {name} for name, found in IMPORTS.items()}).static_order())


def layer(module: str) -> tuple[int, int]:
    """Place of a module in the total order: its tree, then its package within codegym."""
    tree, _, rest = module.partition(".")
    package = rest.split(".")[0]
    return TREES_ABOVE.index(tree), ORDER.index(package) if tree == "codegym" and package else -1


def test_every_package_has_its_place_in_the_order() -> None:
    found = {name.split(".")[1] for name in TREES if within(name, "codegym") and name != "codegym"}
    assert found == set(ORDER)


@pytest.mark.parametrize("module", sorted(TREES))
def test_module_imports_only_what_is_below_it(module: str) -> None:
    if module != "codegym":  # the public surface gathers names from everywhere
        ours = {name for name in IMPORTS[module] if within(name, *TREES_ABOVE)}
        assert not {name for name in ours if layer(name) > layer(module)}


@pytest.mark.parametrize("module", [name for name in sorted(TREES) if within(name, BOX)])
def test_box_imports_only_itself_and_the_standard_library(module: str) -> None:
    # it is copied to where nothing is installed, under another name
    absolute = [node for node in ast.walk(TREES[module][1]) if not getattr(node, "level", 0)]
    names = {name.split(".")[0] for node in absolute for name in imported(node, module)}
    assert names <= sys.stdlib_module_names


def is_optional(node: ast.AST) -> bool:
    """Whether ``node`` is a try statement that handles a missing package, with a hint of the extra that has it."""
    return isinstance(node, ast.Try) and any(
        handler.type is not None and "ImportError" in ast.unparse(handler.type) for handler in node.handlers
    )


def required(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes below ``node``, those of a try statement for a missing package left out."""
    for child in ast.iter_child_nodes(node):
        if not is_optional(child):
            yield child
            yield from required(child)


@pytest.mark.parametrize("module", sorted(TREES))
def test_no_function_imports_codegym_or_is_long(module: str) -> None:
    for node in ast.walk(TREES[module][1]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found = [name for inner in required(node) for name in imported(inner, module) if within(name, "codegym")]
            assert not found, node.name
            assert node.end_lineno - node.lineno < 45, f"{node.name} has more than 45 lines"


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a module that run when it is imported: bodies of functions are left out."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not is_for_type_checkers(child):
            yield child
            yield from at_import(child)


def test_codegym_imports_nothing_heavy() -> None:
    imports = {name: {i for node in at_import(tree) for i in imported(node, name)} for name, (_, tree) in TREES.items()}
    reached, waiting = set(), ["codegym"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [*imports.get(name, ()), *filter(None, [name.rpartition(".")[0]])]
    assert not {name for name in reached if within(name, *HEAVY)}
    code = "import codegym, sys; print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {name for name in answer.stdout.split() if within(name, *HEAVY)}


def tracked_files() -> list[Path]:
    """What is or would be committed."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_files_are_short() -> None:
    lengths = {file: len(file.read_text("utf-8").splitlines()) for file in tracked_files() if file.suffix == ".py"}
    assert not {str(file): length for file, length in lengths.items() if length > 400}


# Written so that neither pattern finds itself.
REGISTRY = r"\b(pypi|files\.pythonhosted|registry[-\w]*\.docker|ghcr|quay|registry\.npmjs|deb\.debian)\.(org|io|com)\b"
PRIVATE = r"(?<![\w.])/(work/\w|home/\w|root/\.)"


def test_no_registry_host_or_private_path_is_named() -> None:
    found = []
    for file in tracked_files():
        for number, line in enumerate(file.read_text("utf-8", errors="replace").splitlines(), 1):
            if re.search(REGISTRY, line) or re.search(PRIVATE, line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert not found

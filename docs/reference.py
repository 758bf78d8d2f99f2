"""Write the reference pages from the tables of plug-ins and their docstrings, so that no list is kept by hand."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import gymnasium as gym

import codegym.cli
import codegym.judge.comparison
from agents import AGENTS
from codegym.envs.config import EnvConfig, LineEnvConfig
from codegym.rewards import REWARDS
from codegym.sandbox import BACKENDS
from codegym.scorers import SCORERS
from codegym.tasks.datasets import DATASETS
from codegym.tasks.procedural import FAMILIES
from codegym.tokenizers import TOKENIZERS


def write_pages(folder: Path) -> None:
    """Write one page for each kind of plug-in into ``folder``; unchanged pages keep their time stamp."""
    folder.mkdir(exist_ok=True)
    for name, make_page in PAGES.items():
        page = folder / f"{name}.md"
        text = "\n".join(make_page()).rstrip() + "\n"
        if not page.exists() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    header = list(header)
    yield "| " + " | ".join(header) + " |"
    yield "|" + " --- |" * len(header)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
    yield ""


def summary(thing: object) -> str:
    """Return the first paragraph of a docstring as Markdown, on one line."""
    paragraph = (inspect.getdoc(thing) or "").partition("\n\n")[0]
    return " ".join(paragraph.split()).replace("``", "`")


def autodoc(thing: object, *options: str) -> Iterator[str]:
    """Yield the directive that shows signature and docstring of a class, a function or a module."""
    if inspect.ismodule(thing):
        kind, path = "module", thing.__name__
    else:
        kind = "class" if inspect.isclass(thing) else "function"
        path = f"{thing.__module__}.{thing.__qualname__}"
    yield "```{eval-rst}"
    yield f".. auto{kind}:: {path}"
    yield from (f"   {option}" for option in options)
    yield "```"
    yield ""


def markdown_doc(thing: object) -> Iterator[str]:
    """Yield a docstring that is written in Markdown, one heading level lower, its example as a code block."""
    in_example = False
    for line in (inspect.getdoc(thing) or "").replace("``", "`").splitlines():
        if line.startswith(">>>") and not in_example:
            yield "```pycon"
        elif in_example and not line.strip():
            yield "```"
        in_example = bool(line.strip()) and (in_example or line.startswith(">>>"))
        yield f"#{line}" if line.startswith("## ") else line
    yield ""


def section(name: str, anchor: str) -> Iterator[str]:
    """Yield a heading with an anchor that other pages can name."""
    yield f"({anchor})="
    yield f"## {name}"
    yield ""


def range_of(low: float, high: float) -> str:
    """Return the bounds of a total as text.

    >>> range_of(-float("inf"), 0.0), range_of(-1.0, 1.0)
    ('at most 0', '[-1, 1]')
    """
    if low == -float("inf"):
        return "of the scores" if high == float("inf") else f"at most {high:g}"
    return f"at least {low:g}" if high == float("inf") else f"[{low:g}, {high:g}]"


def rewards() -> Iterator[str]:
    """Yield the page of reward terms: range, when scores are needed, formula and source, known hacks."""
    yield "# Reward terms\n"
    yield "A reward is a weighted sum of these terms, such as `outcome + 0.1*missing_eos`; see [credit](../credit.md)."
    yield "The range is that of the total of one episode with the term's default arguments and weight 1.\n"
    terms = {name: factory() for name, factory in REWARDS.items()}
    rows = (
        (f"[`{name}`](#term-{name})", range_of(term.low, term.high), summary(REWARDS[name]))
        for name, term in terms.items()
    )
    yield from table(("term", "range", "what it pays"), rows)
    for name, term in terms.items():
        yield from section(name, f"term-{name}")
        yield from autodoc(REWARDS[name])
        yield f"Needs line scores: {term.scores.name.lower().replace('_', ' ')}.\n"


def environments() -> Iterator[str]:
    """Yield the page of environment ids with their defaults, and the classes behind them."""
    yield "# Environments\n"
    specs = [spec for spec in gym.registry.values() if spec.namespace == "codegym"]
    yield "Every id takes every keyword; the table shows the defaults. `gym.make` returns one environment,"
    yield "`gym.make_vec` a native vector environment.\n"
    rows = ((f"`{spec.id}`", *(str(defaults_of(spec)[key]) for key in DEFAULTS)) for spec in specs)
    yield from table(("id", *DEFAULTS), rows)
    for entry_point in dict.fromkeys(point for spec in specs for point in (spec.entry_point, spec.vector_entry_point)):
        cls = gym.envs.registration.load_env_creator(str(entry_point))
        yield from section(cls.__name__, f"class-{cls.__name__.lower()}")
        yield from markdown_doc(cls)
    yield from section("Keywords", "keywords")
    yield from autodoc(EnvConfig, ":members:", ":no-index:")
    yield from autodoc(LineEnvConfig, ":members:", ":no-index:")


DEFAULTS = ("tasks", "max_tokens", "max_prompt_tokens")


def defaults_of(spec: gym.envs.registration.EnvSpec) -> dict[str, object]:
    """Return the default keywords of an id: those of the environment, replaced by those of the id."""
    common = {field.name: field.default for field in dataclasses.fields(EnvConfig)}
    return common | spec.kwargs


def datasets() -> Iterator[str]:
    """Yield the page of data sets: size, licence, comparison rule, share of gold solutions that pass."""
    yield "# Data sets\n"
    yield "Name a data set as `tasks=` of an environment or `--tasks` of a command, with `path=` for a file on disk;"
    yield "without a path it comes from the Hub (`pip install 'codegym[hub]'`). Licences are those the authors state.\n"
    rows = (
        (f"[`{name}`](#dataset-{anchor(name)})", spec.size, spec.licence, spec.comparison, spec.gold)
        for name, spec in DATASETS.items()
    )
    yield from table(("name", "tasks", "licence", "comparison rule", "gold solutions"), rows)
    for name, spec in DATASETS.items():
        yield from section(name, f"dataset-{anchor(name)}")
        hub = "local files only" if spec.hub is None else f"`{spec.hub.hub_id}`, split `{spec.hub.split}`"
        yield f"- **Hub**: {hub}"
        yield f"- **Source**: {f'<{spec.homepage}>' if spec.homepage else 'yours'}"
        yield f"- **Environment ids**: {', '.join(ids_of(name))}\n"
        yield from autodoc(inspect.getmodule(spec.read), ":no-index:")
        yield from autodoc(spec.read, ":no-index:")
    yield from section("Comparison rules", "comparison-rules")
    yield from autodoc(inspect.getmodule(codegym.judge.comparison))


def ids_of(tasks: str) -> list[str]:
    """Return the environment ids whose default tasks are ``tasks``."""
    return [f"`{spec.id}`" for spec in gym.registry.values() if spec.kwargs.get("tasks") == tasks]


def anchor(name: str) -> str:
    """Return a name without the characters that an anchor cannot have.

    >>> anchor("mbpp+")
    'mbpp-plus'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.replace("+", "-plus").lower()).strip("-")


def plain_page(title: str, intro: str, plugins: Mapping[str, object]) -> Callable[[], Iterator[str]]:
    """Return the maker of a page that shows the docstring of each plug-in of a table."""

    def page() -> Iterator[str]:
        yield f"# {title}\n"
        yield f"{intro}\n"
        rows = ((f"[`{name}`](#{anchor(title)}-{anchor(name)})", summary(plugin)) for name, plugin in plugins.items())
        yield from table(("name", "what it is"), rows)
        for name, plugin in plugins.items():
            yield from section(name, f"{anchor(title)}-{anchor(name)}")
            yield from autodoc(plugin)

    return page


def agents() -> Iterator[str]:
    """Yield the page of agents: method, source and settings of each."""
    yield "# Agents\n"
    yield "Each agent is one file of the checkout, read from top to bottom: `python -m agents.ppo --help`.\n"
    modules = {name: inspect.getmodule(agent.train) for name, agent in AGENTS.items()}
    yield from table(
        ("name", "what it is"), ((f"[`{name}`](#agent-{anchor(name)})", summary(m)) for name, m in modules.items())
    )
    for name, module in modules.items():
        yield from section(name, f"agent-{anchor(name)}")
        yield from autodoc(module, ":members:", ":exclude-members: main")


def commands() -> Iterator[str]:
    """Yield the page of commands: the help of each, as the terminal shows it."""
    yield "# Commands\n"
    yield "`codegym` is the command of the package; each command explains itself with `--help`.\n"
    for words in command_words():
        yield from section(" ".join(["codegym", *words]), f"command-{'-'.join(words)}")
        yield from ("```text", help_of(words), "```", "")


def command_words() -> Iterator[tuple[str, ...]]:
    """Yield the words of each command after ``codegym``."""
    yield from ((name,) for name in codegym.cli.COMMANDS)
    yield from (("sandbox", name) for name in codegym.cli.SANDBOX_COMMANDS)
    yield from (("prm", name) for name in codegym.cli.PRM_COMMANDS)


def help_of(words: Iterable[str]) -> str:
    """Return what ``codegym WORDS --help`` prints, 84 columns wide and without colours."""
    os.environ["COLUMNS"] = "84"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        codegym.cli.main([*words, "--help"])
    return re.sub(r"\x1b\[[0-9;]*m", "", printed.getvalue()).strip()


def api() -> Iterator[str]:
    """Yield the page of the public names of the package."""
    yield "# Public names\n"
    yield "Everything that `from codegym import ...` can name.\n"
    for name in sorted(codegym.__all__):
        thing = getattr(codegym, name)
        if inspect.isclass(thing) and issubclass(thing, gym.Env):
            yield from section(name, f"api-{anchor(name)}")
            yield "See [environments](environments.md).\n"
        elif inspect.isclass(thing) or inspect.isfunction(thing):
            yield from section(name, f"api-{anchor(name)}")
            yield from autodoc(thing, ":no-index:", *([":members:"] if inspect.isclass(thing) else []))


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "environments": environments,
    "rewards": rewards,
    "datasets": datasets,
    "families": plain_page(
        "Procedural families",
        "Endless tasks without a download. Name a family as `tasks=` of an environment or `--tasks` of a command.",
        FAMILIES,
    ),
    "backends": plain_page(
        "Sandbox back ends",
        "Name a back end as `sandbox=`. `codegym sandbox check` measures what it isolates.",
        BACKENDS,
    ),
    "scorers": plain_page("Line scorers", "Name a line scorer as `line_scorer=`, or give an object.", SCORERS),
    "tokenizers": plain_page("Tokenizers", "Name a tokenizer as `tokenizer=`, or give an object.", TOKENIZERS),
    "agents": agents,
    "commands": commands,
    "api": api,
}
"""File name of a generated page -> the generator of its lines."""

"""Tables in Markdown from the answers of the graders."""

from __future__ import annotations

from collections import defaultdict

from rich.console import Console

from codegym.sandbox import BACKENDS

Answers = dict[str, str]
ASKED = ("passed", "failed", "no verdict", "harm")


def print_tables(results: dict[str, Answers], console: Console) -> None:
    titles = {"exploits": "cheats that passed", "oddities": "honest programs rejected"}
    for corpus, title in titles.items():
        for line in corpus_table(corpus, title, results):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        console.print()
    for grader in BACKENDS:
        for name, answer in results.get(grader, {}).items():
            if answer != ("failed" if name.startswith("exploits") else "passed"):
                console.print(f"{grader}: {name}: {answer}", highlight=False, markup=False)


def corpus_table(corpus: str, title: str, results: dict[str, Answers]) -> list[str]:
    """Return a row for each class of the corpus: the share of programs that went wrong among those that could be tried.

    Args:
        corpus: "exploits" or "oddities".
        title: Head of the first column.
        results: Grader -> answers.
    """
    counts = {grader: count(corpus, answers) for grader, answers in results.items()}
    classes = list(dict.fromkeys(name for found in counts.values() for name in found))
    lines = [f"| {title} | {' | '.join(counts)} |", f"|---|{'---:|' * len(counts)}"]
    for name in [*classes, "all"]:
        cells = [_cell(found, classes if name == "all" else [name]) for found in counts.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _cell(found: dict[str, tuple[int, int]], classes: list[str]) -> str:
    hits, asked = (sum(found.get(name, (0, 0))[part] for name in classes) for part in (0, 1))
    return f"{hits} of {asked}" if asked else "-"


def count(corpus: str, answers: Answers) -> dict[str, tuple[int, int]]:
    """Return for each class the number of programs that went wrong on any form, and the number that was tried.

    Args:
        corpus: "exploits" or "oddities".
        answers: Answers of one grader.
    """
    programs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, answer in answers.items():
        kind, group, case = name.split("/", 2)
        if kind == corpus and answer in ASKED:
            programs[group, case.partition("@")[0]].append(answer)
    found: dict[str, tuple[int, int]] = {}
    for (group, _), given in programs.items():
        wrong = not {"passed", "harm"}.isdisjoint(given) if corpus == "exploits" else set(given) != {"passed"}
        hits, asked = found.get(group, (0, 0))
        found[group] = (hits + wrong, asked + 1)
    return found

"""An episode as a page."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from render.views import FAILED, HOSTILE, make_view, program_of, views

from codegym.judge import Status, Verdict
from codegym.render import html, save_html
from codegym.tasks.record import Task

VOID = {"meta"}


class Page(HTMLParser):
    """Text and tags of a page; every tag must be closed in its order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.words.append(" " if tag in ("td", "th") else "")

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def test_smallest_page() -> None:
    text = Page(html(make_view(verdict=FAILED))).text
    assert text.startswith("double double reward -0.250 Prompt Print twice the number. Program line reward score ")
    assert "1 +0.250 0.90 n = int(input()) 2 # twice comment 3 -0.500 0.10 print(n / 0) Verdict" in text
    assert "runtime error 1/3 checks 1 ✓ passed 2 ✗ runtime error 3 · not run line 3: ZeroDivisionError" in text
    assert text.endswith("Reward terms outcome 0.000 process -0.250 25/100 tokens")


def test_the_page_stands_alone_and_is_small() -> None:
    source = html(make_view(program_of(*["    value = compute(value, 1) if value else None\n"] * 30), verdict=FAILED))
    page = Page(source)
    assert len(source.encode()) < 30_000
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not {"src", "href"} & page.attributes
    assert not [word for word in ("http", "src=", "url(", "@import") if word in source]
    assert "prefers-color-scheme: dark" in source


def test_hostile_text_is_escaped() -> None:
    task = Task(HOSTILE, HOSTILE, make_view().task.checks)
    source = html(make_view(program_of(HOSTILE), task=task, open_line=HOSTILE, terms={HOSTILE: 1.0}, ended=False))
    page = Page(source)
    assert "script" not in page.tags
    assert page.text.count("</td><script>alert(1)</script>{{ 7 * 7 }}") == 6  # title, head, prompt, two lines, a term
    assert source.replace("\n", "").isprintable()


def test_earning_and_losing_differ() -> None:
    source = html(make_view())
    assert '<td class="num earns">+0.250</td>' in source
    assert '<td class="num loses">-0.500</td>' in source


def test_all_of_a_long_program_is_there_and_long_lines_are_cut() -> None:
    page = Page(html(make_view(program_of(*["x" * 100_000] * 2, *["y\n"] * 998))))
    assert page.tags.count("tr") == 1 + 1000 + 2
    assert page.text.count("x") < 1100
    assert "…" in page.text


def test_many_checks_and_a_long_prompt_are_cut() -> None:
    verdict = Verdict(Status.WRONG_ANSWER, (Status.WRONG_ANSWER,) * 1200)
    task = Task("t", "line\n" * 400, make_view().task.checks)
    text = Page(html(make_view(verdict=verdict, task=task))).text
    assert "… and 200 more" in text
    assert "line " * 300 + "… Program" in text


def test_a_machine_that_failed_is_told() -> None:
    assert "the machine failed" in Page(html(make_view(valid=False))).text


def test_save_html_writes_the_page(tmp_path: Path) -> None:
    view = make_view(program_of(HOSTILE))
    path = save_html(view, tmp_path / "new" / "episode.html")
    assert path.read_text("utf-8") == html(view)


def test_a_missing_jinja_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r"codegym\[render\]"):
        html(make_view())


@given(views())
def test_any_view_makes_a_page(view) -> None:
    source = html(view)
    assert "script" not in Page(source).tags
    source.encode("utf-8")

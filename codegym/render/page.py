"""Self-contained web pages of episodes: no scripts, nothing loaded from elsewhere."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from codegym.judge import Status
from codegym.render.view import CHECK_MARKS, View, rows, short, signed, visible

# Cut here, so that a hostile program cannot make a page that no browser opens.
LINE_CHARS = 500
PROMPT_LINES = 300
MOST_CHECKS = 1000
CHECK_CLASSES = dict.fromkeys(Status, "loses") | {Status.PASSED: "earns", Status.NOT_RUN: "dim"}


def html(view: View) -> str:
    """Return the whole episode in ``view`` as a page with its style, for light and dark mode.

    Raises:
        ImportError: Jinja is missing; it comes with ``codegym[render]``.
    """
    try:
        import jinja2
    except ImportError as error:
        raise ImportError("a page of an episode needs jinja2: pip install 'codegym[render]'") from error
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"signed": signed, "short": short, "visible": lambda text: visible(text, LINE_CHARS)}
    template = environment.from_string(resources.files("codegym.render").joinpath("page.html").read_text("utf-8"))
    checks = [] if view.verdict is None else view.verdict.checks[:MOST_CHECKS]
    return template.render(
        view=view,
        prompt=_prompt(view.task.prompt),
        rows=rows(view, LINE_CHARS),
        checks=[(CHECK_CLASSES[status], CHECK_MARKS[status], status.replace("_", " ")) for status in checks],
        sign=lambda reward: "earns" if reward > 0 else "loses" if reward < 0 else "",
    )


def save_html(view: View, path: str | Path) -> Path:
    """Write the page of an episode, in UTF-8, and return its path.

    Args:
        view: Episode to show.
        path: File to write; folders above it are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html(view), encoding="utf-8")
    return path


def _prompt(text: str) -> str:
    lines = text.strip().replace("\r\n", "\n").split("\n", PROMPT_LINES)
    shown = [visible(line, LINE_CHARS * 4) for line in lines[:PROMPT_LINES]]
    return "\n".join(shown + ["…"] * (len(lines) > PROMPT_LINES))

"""Configuration of the documentation site; `make docs` builds it without a network and with warnings as errors."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import re
import sys
from pathlib import Path

LABEL = re.compile(r"^(Formula|Range|Source|Known hacks|Covered|Not covered|Left out):", re.MULTILINE)
# A paragraph, a blank line, and a line that is indented by four.
EXAMPLE = re.compile(r"^([^\s:.*-].*(?<!::))\n\n    (\S)", re.MULTILINE)
ATTRIBUTES: dict[str, list[str]] = {}
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # the generator, and the packages that are run from the checkout

from reference import write_pages  # noqa: E402

project = "codegym"
author = "The codegym authors"
copyright = "the codegym authors, Apache-2.0"
release = importlib.metadata.version("codegym")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
smartquotes = False  # it turns "--tasks" into a dash
default_role = "code"  # docstrings write `name` for code
nitpicky = True
# Types in signatures name classes that have no page; links between pages are checked all the same.
nitpick_ignore_regex = [("py:.*", ".*")]
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
maximum_signature_line_length = 88
add_module_names = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "codegym"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False

write_pages(HERE / "reference")


def emphasize_labels(app, what, name, obj, options, lines: list[str]) -> None:
    """Set the labels of a docstring ("Range:", "Covered:") in bold, and indented examples as code."""
    text = LABEL.sub(r"**\1:**", "\n".join(lines))
    lines[:] = EXAMPLE.sub(r"\1\n\n::\n\n    \2", text).split("\n")


def set_aside(app, what, name, obj, options, lines: list[str]) -> None:
    """Keep the docstring of an attribute from napoleon, which takes a sentence before a colon for a type."""
    if what == "attribute":
        ATTRIBUTES[name] = lines.copy()
        lines[:] = []


def put_back(app, what, name, obj, options, lines: list[str]) -> None:
    """Put back the docstring that ``set_aside`` took."""
    lines[:] = ATTRIBUTES.pop(name, lines)


def hide_fields(app, what, name, obj, options, signature, returns) -> tuple[str, str] | None:
    """Leave out the signature of a record: its fields are documented one by one."""
    return ("", "") if what == "class" and dataclasses.is_dataclass(obj) else None


def setup(app) -> None:
    """Connect to the events of Sphinx."""
    app.connect("autodoc-process-docstring", set_aside, priority=100)
    app.connect("autodoc-process-docstring", put_back, priority=900)
    app.connect("autodoc-process-docstring", emphasize_labels)
    app.connect("autodoc-process-signature", hide_fields)

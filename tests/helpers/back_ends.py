"""Back ends as parameters of tests, derived from the table."""

from __future__ import annotations

import pytest

from codegym.sandbox import BACKENDS

MARKS = {"docker": pytest.mark.docker}
BACK_ENDS = [pytest.param(name, marks=MARKS.get(name, ())) for name in BACKENDS]
"""All back ends; those that need something are skipped without it."""

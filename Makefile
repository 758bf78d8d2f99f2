# Two commands for a newcomer, each sets up .venv by itself: `make test` and `make experiment`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help test experiment check image clean

help:
	@echo 'make test        checks, then all tests; ends with the tests that were skipped and why'
	@echo 'make experiment  trains a small policy with and without a process reward model; a table and a plot in runs/'
	@echo 'make check       ruff, ruff format, mypy'
	@echo 'make image       builds the image of the Docker sandbox'
	@echo 'make clean       removes .venv and what tools left behind'
	@echo 'PYTHON=... names the interpreter for .venv (3.11 or newer), now: $(PYTHON)'

test: check
	$(BIN)/python -m pytest -q -rs -m quiet -n 2 --dist loadfile tests
	$(BIN)/python -m pytest -q -rs -m 'not quiet' -n 2 --dist loadfile

experiment: $(INSTALLED)
	$(BIN)/python -m benchmarks.lab

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPY_NUM_WORKERS=auto $(BIN)/mypy

image: $(INSTALLED)
	$(BIN)/codegym sandbox build

$(INSTALLED): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'codegym needs Python 3.11 or newer; "$(PYTHON)" is not there or is older. Try: make PYTHON=/path/to/python3.11' >&2; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)
	@# An old pip takes three times as long to find out what fits.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@# Most of the modules are never imported; the others are compiled when they are.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[all,dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

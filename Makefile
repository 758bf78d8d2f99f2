# Every target sets up .venv by itself. For a newcomer: `make quick`, `make test` and `make experiment`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest -q -rs -n 2 --dist loadfile
# Tests of one process: no Docker, no training, no corpus, no command line.
QUICK := $(addprefix tests/,test_layers.py test_plugins.py test_words.py rewards tokenizers envs judge render) \
  -m 'not docker and not slow and not quiet'

.DEFAULT_GOAL := help
.PHONY: help quick test experiment check docs coverage image clean

help:
	@echo 'make quick       checks, then the tests that need neither Docker nor minutes'
	@echo 'make test        checks, documentation, then all tests; ends with the tests that were skipped and why'
	@echo 'make experiment  trains a small policy with and without a process reward model; a report in runs/'
	@echo 'make docs        builds the documentation in docs/_build/html; warnings and broken links are errors'
	@echo 'make coverage    runs the quick tests and prints the share of lines that they reach'
	@echo 'make check       ruff, ruff format, mypy'
	@echo 'make image       builds the image of the Docker sandbox'
	@echo 'make clean       removes .venv and what tools left behind'
	@echo 'PYTHON=... names the interpreter for .venv (3.11 or newer), now: $(PYTHON)'

quick: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(PYTEST) $(QUICK)

test: check docs
	$(PYTEST) -m quiet tests
	$(PYTEST) -m 'not quiet'

experiment: $(INSTALLED)
	$(BIN)/python -m benchmarks.lab

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPY_NUM_WORKERS=auto $(BIN)/mypy

docs: $(INSTALLED)
	$(BIN)/python -m sphinx -q -W --keep-going -n -b html docs docs/_build/html

coverage: $(INSTALLED)
	$(PYTEST) $(QUICK) --cov --cov-report=term:skip-covered

image: $(INSTALLED)
	$(BIN)/codegym sandbox build

$(INSTALLED): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'codegym needs Python 3.11 or newer; "$(PYTHON)" is missing or older. Try: make PYTHON=/path/to/python3.11' >&2; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)
	@# An old pip takes three times as long to resolve the versions.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@# Most modules are never imported; the others are compiled on import.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[all,dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info docs/_build docs/reference htmlcov .coverage
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

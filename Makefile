# The newcomer's two commands: `make demo` and `make test`. Both install into .venv first, and again only when pyproject.toml
# has changed. Any variable can be set on the command line: `make demo DEMO=elsewhere PYTHON=python3.12`.

PYTHON ?= python3
VENV ?= .venv
DEMO ?= data/demo
PYTEST_ARGS ?=

export PATH := $(abspath $(VENV))/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# More than make's plain `-c`, so that commands are always sought along the PATH above.
.SHELLFLAGS = -euc
.DEFAULT_GOAL = help

.PHONY: help demo test lint clean

help:
	@echo "make demo    sample France, build a small catalog from simulated scenes, check it, say what it holds"
	@echo "make test    install and run the tests (PYTEST_ARGS=--run-slow for all of them)"
	@echo "make lint    ruff and mypy"
	@echo "make clean   remove $(VENV) and caches; data/ stays"

demo: $(VENV)/installed
	curate sample --region france --count 60 --seed 7 --out $(DEMO)
	curate build $(DEMO) --source simulated --seasons 4 --start 2023-01-01 --end 2024-01-01
	curate verify $(DEMO)
	curate info $(DEMO)
	@echo
	@echo "The catalog is $(DEMO)/catalog.json: open it with any STAC tool, QGIS, or catalogs.open_catalog(\"$(DEMO)\")."
	@echo "Next: README.md builds one from real scenes, notebooks/01_france_in_an_hour.ipynb looks at the patches."

test: $(VENV)/installed-dev
	python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/installed-dev
	ruff check
	ruff format --check
	mypy

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing seastars into $(VENV) (a minute or two the first time) ..."
	@python -m pip install --quiet --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	@echo "Installing seastars and its development tools into $(VENV) (a few minutes the first time) ..."
	@python -m pip install --quiet --editable '.[dev]'
	@touch $(VENV)/installed $@

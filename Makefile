# The newcomer's two commands: `make demo` and `make test`. Both install into .venv first, and again only when pyproject.toml
# has changed. Any variable can be set on the command line: `make demo DEMO=elsewhere PYTHON=python3.12`.

PYTHON ?= python3
VENV ?= .venv
DEMO ?= data/demo
DEMO_RUN ?= runs/demo
PYTEST_ARGS ?=

export PATH := $(abspath $(VENV))/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# More than make's plain `-c`, so that commands are always sought along the PATH above.
.SHELLFLAGS = -euc
.DEFAULT_GOAL = help

.PHONY: help demo test lint clean

help:
	@echo "make demo    sample France, build a catalog from simulated scenes, train on it, score the weights: about ten minutes"
	@echo "make test    install and run the tests (PYTEST_ARGS=--run-slow for all of them)"
	@echo "make lint    ruff and mypy"
	@echo "make clean   remove $(VENV) and caches; data/ stays"

demo: $(VENV)/installed
	curate sample --region france --count 900 --seed 7 --patch-m 600 --splits 0.7,0,0.3 --out $(DEMO)
	curate build $(DEMO) --source simulated --bands B02,B03,B04,B08 --seasons 4 --start 2023-01-01 --end 2024-01-01 --scheduler local
	curate verify $(DEMO)
	curate info $(DEMO)
	curate pack $(DEMO)
	train seco --catalog $(DEMO) --bands B04,B03,B02 --backbone resnet10t --size-px 48 --batch-size 32 --epochs 30 \
		--optimizer adamw --lr 1e-3 --out $(DEMO_RUN)
	evaluate knn --catalog $(DEMO) --weights $(DEMO_RUN) --out $(DEMO_RUN)/knn.json
	evaluate compare $(DEMO_RUN)/knn.json --html $(DEMO_RUN)/report.html --quiet
	@echo
	@echo "The catalog is $(DEMO)/catalog.json: open it with any STAC tool, QGIS, or catalogs.open_catalog(\"$(DEMO)\")."
	@echo "The weights are $(DEMO_RUN)/weights: timm.create_model(\"local-dir:$(DEMO_RUN)/weights\", pretrained=True)."
	@echo "The table above: which of ten land covers fills most of a square that training has not seen, by its nearest neighbours."
	@echo "The report is $(DEMO_RUN)/report.html: open it in a browser for each class, a map of right and wrong answers, and neighbours."
	@echo "Next: README.md builds a catalog from real scenes, notebooks/ looks at the patches and at a training."

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
	@python -m pip install --quiet --editable '.[dask,train]'
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	@echo "Installing seastars and its development tools into $(VENV) (a few minutes the first time) ..."
	@python -m pip install --quiet --editable '.[dev]'
	@touch $(VENV)/installed $@

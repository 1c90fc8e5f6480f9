# Everything starts from a bare clone: Python 3.11 or newer, pip, make and git.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help

help:  ## list the targets, each with its sentence
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

# What the demo needs: no torch.
$(VENV)/.demo: pyproject.toml | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[sklearn]'
	@touch $@

# torch comes first and from pip: uv would fetch a CUDA build of several GB.
$(VENV)/.torch: | $(BIN)/uv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.torch
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[dev]'
	@touch $@

$(VENV)/.docs: $(VENV)/.dev
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[dev,docs]'
	@touch $@

$(VENV)/.browser: $(VENV)/.dev
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[dev,browser]'
	@touch $@

demo: $(VENV)/.demo  ## check real models on real data, and write reports/index.html
	$(BIN)/python -m mltest demo

test: $(VENV)/.dev  ## set up and run the tests
	$(BIN)/python -m pytest -n 2 -m "not long and not browser" tests
	$(BIN)/python -m pytest docs README.md  # one process: the blocks of a page use what earlier ones made

test-long: $(VENV)/.dev  ## run the simulations and calibrations too (an hour or more)
	$(BIN)/python -m pytest -n 2 -m "not browser" tests

test-lowest: $(BIN)/uv  ## run the tests with the oldest dependencies that pyproject.toml allows
	$(PYTHON) -m venv --clear $(VENV)-lowest
	$(VENV)-lowest/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/uv pip install --quiet --python $(VENV)-lowest/bin/python --resolution lowest-direct -e '.[sklearn,dask]' \
		'arch>=7.0' 'babel>=2.16' 'expecttest>=0.2' 'jsonschema>=4.20' 'onnx>=1.17' 'pytest-xdist>=3.6' 'sybil>=9.0'
	$(VENV)-lowest/bin/python -m pytest -n 2 -m "not long and not browser" tests

test-browser: $(VENV)/.browser  ## look at the report in Chromium (apt-get install chromium)
	$(BIN)/python -m pytest -m browser

lint: $(VENV)/.dev  ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.docs  ## build the documentation into site/, warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

messages: $(VENV)/.dev  ## collect what is said into mltest/locales/mltest.pot, for translators
	@mkdir -p mltest/locales
	$(BIN)/pybabel --quiet extract --mapping-file pyproject.toml --keywords noted --keywords translate \
		--keywords plural:1,2 --project mltest --output-file mltest/locales/mltest.pot mltest

bench: $(VENV)/.dev  ## measure the claims beside the peers; prints ratios
	$(BIN)/python -m benchmarks

clean:  ## remove what the targets made
	rm -rf $(VENV) $(VENV)-lowest site dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help demo test test-long test-lowest test-browser lint docs messages bench clean

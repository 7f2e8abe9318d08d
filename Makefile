# Set-up, demonstration and checks. `make help` lists what there is.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DEMO   := runs/demo
# Compiling the updates needs a C++ compiler, and makes the demonstration shorter.
COMPILE = $(if $(shell command -v g++ || command -v clang++ || command -v c++),true,false)

.PHONY: help setup demo test lint bench data table docs clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## make .venv and install the package with pinned versions

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "Python 3.11 to 3.13 is needed; name one with make PYTHON=python3.12 setup")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

demo: setup  ## train GAAN on 25 Gaussians for six to seven minutes, count its modes, draw pictures
	@rm -rf $(DEMO)
	@# The networks are small: one thread is faster than two.
	OMP_NUM_THREADS=1 $(BIN)/lightning fit --config gaan_grid25_demo --model.compile $(COMPILE) --trainer.default_root_dir $(DEMO)
	@$(BIN)/lightning table gaan_2 --rows GAAN_2 --budget short --out $(DEMO) --show
	@echo "Pictures: $(DEMO)/gaan_grid25/version_0/pictures (samples_over_training.png, latent_map.png)"

test: setup  ## run the tests
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal

lint: setup  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup  ## measure speed against hand-written loops, as ratios within one run
	$(BIN)/python tests/benchmarks

data: setup  ## say which datasets are under data/ and where to get the others; pack those that are there
	$(BIN)/lightning data

table: setup  ## make the tables in README and docs of the lines in docs/results
	$(BIN)/python -m lightning_gans.tables.publish

docs: setup  ## build the site of docs/, and say where it is
	$(BIN)/python docs/_generate.py

clean:  ## remove the environment, keep runs and data
	rm -rf $(VENV)

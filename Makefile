# Commands for developers: `make help` lists them. Each has one line of help and a short recipe.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Empty is no: the tests start some hundred operators, and each would compile its modules again.
export PYTHONDONTWRITEBYTECODE :=

VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements/dev.txt
STAMP := $(VENV)/.installed
# Sources of the operator, of the code shared by tests, demo and bench, and of demo and bench.
WITH_SOURCES := PYTHONPATH=operator:tests:.
# Each worker has its own control plane; files run in the order of tests/support/file_order.py. Most
# of the time is waiting for clocks and servers: three workers leave two cores half idle.
PYTEST := $(BIN)/python -m pytest -n 5 --dist loadfile --no-loadscope-reorder
# Only for `make lock`; 3.11 is the oldest supported Python.
COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --quiet

.PHONY: help setup demo kind-demo test lint generate golden docs plugin bench lock clean

help: ## List all targets (the default)
	@echo "make demo shows the whole path, make test verifies it. All targets:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMP) ## Show the main path with real components, in a minute (the first run builds the API server)
	@$(WITH_SOURCES) $(BIN)/python -m demo

kind-demo: $(STAMP) ## Show the chart, the image and builder pods on a cluster in Docker (needs docker, kind)
	@$(WITH_SOURCES) $(BIN)/python -m demo.kind $(ARGS)

test: $(STAMP) ## Run every test (the first run builds the API server and Helm)
	@PYTHONPATH=tests $(BIN)/python -m support.node >/dev/null \
		|| echo "No node: its tests are skipped here and fail in CI." >&2
	@PYTHONPATH=tests $(BIN)/python -m support.control_plane build >/dev/null \
		|| echo "No control plane: its tests are skipped here and fail in CI." >&2
	@PYTHONPATH=tests $(BIN)/python -m support.chart >/dev/null \
		|| echo "No Helm: the chart's tests are skipped here and fail in CI." >&2
	@$(PYTEST) $(ARGS)

lint: $(STAMP) ## Check style, types, layers and generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=operator $(BIN)/lint-imports --no-logo
	$(BIN)/python tools/generate.py --check

generate: $(STAMP) ## Generate the CRDs, the references and the chart's values from the models
	@$(BIN)/python tools/generate.py

golden: generate ## Update the chart's golden files (tests compare them)
	@$(WITH_SOURCES) $(BIN)/python -m support.chart_goldens

docs: $(STAMP) ## Build the site of the docs in site/, without a dead link or an orphan page
	@$(BIN)/python tools/docs_site.py

plugin: $(STAMP) ## Build kubectl's plugin and its krew manifest in dist/ (ARGS="--url WHERE", the archive's place)
	@$(BIN)/python tools/plugin/build.py $(ARGS)

bench: $(STAMP) ## Measure the operator against a bare loop, or with ARGS="--against REV" against that commit
	@$(WITH_SOURCES) $(BIN)/python -m bench $(ARGS)

lock: $(STAMP) ## Pin the newest allowed versions of all dependencies, with hashes
	$(COMPILE) pyproject.toml --upgrade --group dev --output-file $(LOCK)
	$(COMPILE) pyproject.toml --constraints $(LOCK) --output-file requirements/runtime.txt
	$(COMPILE) --group build --constraints $(LOCK) --output-file requirements/build.txt

setup: $(STAMP) ## Create or update .venv from the lock (other targets do this when needed)
	@echo "$(VENV) is up to date: $$($(BIN)/python --version)"

$(STAMP): pyproject.toml $(LOCK)
	@.ci/setup $(VENV) $(LOCK)
	@touch $@

clean: ## Remove .venv and all caches of this checkout (keeps built API servers in ~/.cache)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

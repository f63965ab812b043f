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
# of the time is waiting for clocks and servers: with five workers two cores are idle for a tenth of
# the time, and each worker costs the CPU of a collection and of a control plane.
PYTEST := $(BIN)/python -m pytest -n 6 --dist loadfile --no-loadscope-reorder
# Only for `make lock`; 3.11 is the oldest supported Python. In its first week a stolen release is
# usually found.
COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--exclude-newer "7 days" --no-header --no-emit-index-url --quiet

.PHONY: help setup demo kind-demo test test-matrix test-lowest test-newest lint generate golden docs plugin release version publish scan bench lock clean

help: ## List all targets (the default)
	@echo "make demo shows the whole path, make test verifies it. All targets:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# A variable of the user's environment of such a common name must choose no cluster.
given = $(findstring command line,$(origin $(1)))

demo: $(STAMP) ## Show the main path with real components, in a minute (CLUSTER=current: on your cluster, after asking)
	@$(WITH_SOURCES) $(BIN)/python -m demo $(if $(call given,CLUSTER),--cluster=$(CLUSTER)) $(if $(call given,YES),--yes)

kind-demo: $(STAMP) ## Show the chart, the image and builder pods on a cluster in Docker (needs docker, kind)
	@$(WITH_SOURCES) $(BIN)/python -m demo.kind $(ARGS)

test: $(STAMP) ## Run every test (the first run builds the API server and Helm; KUBERNETES=1.37 chooses its release)
	@PYTHONPATH=tests $(BIN)/python -m support.node >/dev/null \
		|| echo "No node: its tests are skipped here and fail in CI." >&2
	@PYTHONPATH=tests $(BIN)/python -m support.control_plane find >/dev/null \
		|| echo "No control plane: its tests are skipped here and fail in CI." >&2
	@PYTHONPATH=tests $(BIN)/python -m support.chart >/dev/null \
		|| echo "No Helm: the chart's tests are skipped here and fail in CI." >&2
	@PYTHONPATH=tests $(BIN)/python -m support.release_tools >/dev/null \
		|| echo "No cosign: the tests of a release are skipped here and fail in CI." >&2
	@$(PYTEST) $(ARGS)

test-matrix: $(STAMP) ## Run the cluster tier on every release of Kubernetes that the tests know
	@for release in $$(PYTHONPATH=tests $(BIN)/python -m support.control_plane releases); do \
		echo "=== Kubernetes $$release"; \
		KUBERNETES=$$release PYTHONPATH=tests $(BIN)/python -m support.control_plane build >/dev/null; \
		KUBERNETES=$$release $(PYTEST) tests/cluster $(ARGS); \
	done

test-lowest: $(STAMP) ## Run the unit and cloud tiers on the oldest dependencies that pyproject.toml allows
	@PYTHONPATH=. $(BIN)/python -m tools.release.bounds lowest $(ARGS)

test-newest: $(STAMP) ## The same on the newest
	@PYTHONPATH=. $(BIN)/python -m tools.release.bounds newest $(ARGS)

lint: $(STAMP) ## Check style, types, layers, generated files and workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=operator $(BIN)/lint-imports --no-logo
	$(BIN)/python tools/generate.py --check
	$(BIN)/zizmor --offline --no-progress --quiet .github
	PYTHONPATH=tests $(BIN)/python -m support.actionlint

generate: $(STAMP) ## Generate the CRDs, the references and the chart's values from the models
	@$(BIN)/python tools/generate.py

golden: generate ## Update the chart's golden files (tests compare them)
	@$(WITH_SOURCES) $(BIN)/python -m support.chart_goldens

docs: $(STAMP) ## Build the site of the docs in site/, without a dead link or an orphan page
	@$(BIN)/python tools/docs_site.py

plugin: $(STAMP) ## Build kubectl's plugin and its krew manifest in dist/ (ARGS="--url WHERE", the archive's place)
	@$(BIN)/python tools/plugin/build.py $(ARGS)

release: $(STAMP) ## Build packages, chart, image and SBOMs in dist/, and push nothing (VERSION=1.2.3, as root)
	@$(WITH_SOURCES) $(BIN)/python -m tools.release "$(VERSION)" $(ARGS)

version: $(STAMP) ## Give the checkout a version, before its tag (VERSION=1.2.3)
	@$(BIN)/python -m tools.release.set_version "$(VERSION)"
	@$(MAKE) golden

publish: $(STAMP) ## Push and sign what is in dist/ (VERSION=1.2.3 TO=registry.example.com/acme ARGS="--key cosign.key")
	@PATH="$$(PYTHONPATH=tests $(BIN)/python -m support.release_tools cosign crane):$$PATH" \
		$(WITH_SOURCES) $(BIN)/python -m tools.release.publish --version "$(VERSION)" --to "$(TO)" $(ARGS)

scan: $(STAMP) ## Look up known vulnerabilities of the locked packages and of the images in dist/
	@PATH="$$(PYTHONPATH=tests $(BIN)/python -m support.release_tools osv-scanner):$$PATH" \
		$(WITH_SOURCES) $(BIN)/python -m tools.release.scan

bench: $(STAMP) ## Measure the operator against a bare loop, or with ARGS="--against REV" against that commit
	@$(WITH_SOURCES) $(BIN)/python -m bench $(ARGS)

lock: $(STAMP) ## Pin the newest allowed versions that are a week old, with hashes
	$(COMPILE) pyproject.toml --upgrade --group dev --output-file $(LOCK)
	$(COMPILE) pyproject.toml --constraints $(LOCK) --output-file requirements/runtime.txt
	$(COMPILE) --group build --constraints $(LOCK) --output-file requirements/build.txt

setup: $(STAMP) ## Create or update .venv from the lock (other targets do this when needed)
	@echo "$(VENV) is up to date: $$($(BIN)/python --version)"

$(STAMP): pyproject.toml $(LOCK)
	@.ci/setup $(VENV) $(LOCK)
	@touch $@

clean: ## Remove .venv and all caches of this checkout (keeps built API servers in ~/.cache)
	rm -rf $(VENV) $(VENV)-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

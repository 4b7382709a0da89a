# Every developer command. `make` alone prints this help.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(firstword $(wildcard /usr/bin/python3.1[1-9]) python3)
PY := .venv/bin/python
PACKAGES := libs/common services/controller services/loadtester services/gatekeeper services/helmtester
SYSTEM := python3-venv hey wrk bats curl jq
CHECKED := libs services charts examples tools e2e bench
export PATH := $(CURDIR)/.venv/bin:$(PATH)

help: ## print this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

demo: .venv/ready ## watch releases being promoted and rolled back on a real cluster
	$(PY) -m e2e.demo

test: .venv/ready ## everything: lint, types, unit, model, API, services, smoke on the real cluster
	$(PY) tools/stages.py

e2e: .venv/ready ## all end-to-end tests on the real cluster
	$(PY) -m pytest e2e

setup: .venv/ready ## create .venv with everything pinned, and our packages editable

.venv/ready: locks/all.txt $(addsuffix /pyproject.toml,$(PACKAGES))
	tools/bootstrap.sh $(SYSTEM)
	@echo "installing the development environment into .venv (about a minute)"
	rm -rf .venv && $(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r locks/all.txt
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(addprefix -e ,$(PACKAGES))
	@touch $@

cluster: .venv/ready ## a real single-node Kubernetes on this machine (CLUSTER=kind|current for others)
	$(PY) -m tools.cluster up

cluster-down: .venv/ready ## take the cluster down, leaving nothing behind
	$(PY) -m tools.cluster down

images: .venv/ready ## build all images from our Dockerfile
	$(PY) -m tools.cluster images

fmt: .venv/ready ## format the code
	$(PY) -m ruff check --quiet --fix .
	$(PY) -m ruff format --quiet .

lint: .venv/ready ## style, format, YAML, layers
	$(PY) -m ruff check .
	$(PY) -m ruff format --check --quiet .
	$(PY) -m yamllint --strict .
	.venv/bin/lint-imports

types: .venv/ready ## mypy --strict over everything
	$(PY) -m mypy $(CHECKED)

unit: .venv/ready ## the tests that take seconds: unit, contract, model
	$(PY) -m pytest -q -n 2 libs services/controller/tests/unit services/controller/tests/contract services/controller/tests/model

sweep: .venv/ready ## every write of every scenario fails in every way; an hour or two, see docs/fault-sweep.md
	$(PY) -m services.controller.tests.api.sweep $(ARGS)

takeover: .venv/ready ## upstream's controller hands over to ours and back, see docs/migration.md
	$(PY) -m services.controller.tests.api.takeover $(ARGS)

storm: .venv/ready ## the gatekeeper is killed again and again under load (ARGS='--store kubernetes')
	$(PY) -m services.gatekeeper.tests.process.storm $(ARGS)

bench: .venv/ready ## how many releases the controller carries, beside upstream's; hours, see bench/README.md
	$(PY) -m bench.scale $(ARGS)

bench-plot: .venv/ready ## a picture of what it measured (ARGS='DIR/measurements.jsonl OUT.png')
	$(PY) -m bench.scale.plot $(ARGS)

bench-gates: .venv/ready ## how long checks of the gatekeeper take, beside upstream's; see bench/README.md
	$(PY) -m bench.gates $(ARGS)

soak: .venv/ready ## does the controller leak? 10,000 canaries, a million ticks in virtual time; see bench/README.md
	$(PY) -m bench.soak $(ARGS)

crds: .venv/ready ## generate the CRDs from the typed models
	$(PY) tools/crds.py

docs: .venv/ready ## generate the documentation that comes from the code
	$(PY) -m tools.docs

dashboards: .venv/ready ## generate the dashboards of charts/grafana
	$(PY) -m tools.dashboards

screenshots: .venv/ready ## take the pictures of the gatekeeper's page
	$(PY) -m tools.screenshots

lock: .venv/ready ## resolve the workspace again (make lock ARGS=--upgrade)
	$(PY) tools/lock.py $(ARGS)

ci: test ## what CI runs

.PHONY: help demo test e2e setup cluster cluster-down images fmt lint types unit sweep takeover storm bench bench-plot bench-gates soak crds docs dashboards screenshots lock ci

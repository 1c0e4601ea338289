# The first Python of 3.11 or newer that can make a virtual environment; name another with `make PYTHON=...`.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13 python3.14; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$python && break; done)
PIP := .venv/bin/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt

# OpenMP threads that spin while they wait make a busy machine tens of times slower; nothing here needs a model hub.
export OMP_WAIT_POLICY := passive
export GOMP_SPINCOUNT := 0
export TOKENIZERS_PARALLELISM := false
export HF_HUB_OFFLINE := 1

.PHONY: test lint demo bench clean
.DELETE_ON_ERROR:

test: lint
	.venv/bin/python -m pytest --hypothesis-profile=ci --numprocesses auto --maxprocesses 4 --dist loadfile --benchmark-disable

lint: .venv
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --strict uniscale_integrations training benchmarks tests

# Options by DEMO="--questions 100 --mode quality-first"; all of them: .venv/bin/uniscale demo --help.
demo: .venv/local.stamp
	.venv/bin/uniscale demo $(DEMO)

bench: .venv/bench.stamp
	.venv/bin/python -m benchmarks.search
	.venv/bin/python -m benchmarks.bandit
	.venv/bin/python -m benchmarks.peers_reward --tables gsm8k family --modes balanced --orders 1
	.venv/bin/python -m benchmarks.engine
	.venv/bin/python -m benchmarks.report
	.venv/bin/python -m benchmarks.durability
	.venv/bin/python -m benchmarks.demo

clean:
	rm -rf dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find uniscale_integrations training benchmarks tests cookbook -name __pycache__ -type d -prune -exec rm -rf {} +

.venv: .venv/dev.stamp ;

.venv/local.stamp: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with the venv module is needed; name it with PYTHON=..." >&2; exit 1; }
	@echo "Installing into .venv: torch first, then the package (a few minutes the first time)"
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	$(PIP) torch
	$(PIP) --editable '.[langchain,llama-index,local]'
	touch $@

.venv/dev.stamp: .venv/local.stamp
	$(PIP) --editable '.[dev]'
	touch $@

.venv/bench.stamp: .venv/local.stamp
	$(PIP) --editable '.[bench]'
	touch $@

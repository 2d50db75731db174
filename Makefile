# make demo   the two examples: a verdict each on the screen, and their reports; then a programme played through a scratch register
# make test   every test                                   make soak   100,000 random steps of the roll-out machine
# make check  lint, types, floors, schema                 make cover  every branch of the roll-out machine, the gates and the chain
# make bench  benchmarks (HUGE=1: the largest too)          make docs   the documentation
# make parity our estimates beside other packages', in an environment of its own
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help demo test soak cover check bench docs parity schema lock clean

help:
	@sed -n 's/^# //p' Makefile

.venv/.installed: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing Poundlock and what it stands on into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

.venv/.installed-dev: requirements-dev.lock .venv/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@

demo: .venv/.installed
	@$(BIN)/poundlock run examples/zhejiang/plan.yaml --out build/demo/zhejiang
	@$(BIN)/poundlock run examples/europe-2015/plan.yaml --out build/demo/europe-2015
	@$(BIN)/python examples/zhejiang/rehearsal.py build/demo/zhejiang/result.json build/demo/register

test: .venv/.installed-dev
	$(BIN)/python -m pytest -n auto

soak: .venv/.installed-dev
	POUNDLOCK_SOAK=1 $(BIN)/python -m pytest -q tests/laws/test_machine_stateful.py

cover: .venv/.installed-dev
	$(BIN)/coverage run -m pytest -q -p no:xdist $(addprefix tests/test_rollout_,$(addsuffix .py,machine life decisions waivers voiding findings deadlines owed people book gate chain canonical))
	$(BIN)/coverage report

check: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv-parity/.installed: requirements-parity.lock pyproject.toml
	@test -x .venv-parity/bin/python || $(PYTHON) -m venv .venv-parity
	@.venv-parity/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements-parity.lock
	@.venv-parity/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

parity: .venv-parity/.installed
	.venv-parity/bin/python -m pytest -q -W ignore -p no:cacheprovider parity

bench: .venv/.installed-dev
	$(BIN)/python benchmarks/contagion.py $(if $(HUGE),--huge)
	$(BIN)/python benchmarks/register.py
	$(BIN)/python benchmarks/payments.py --one-query $(if $(HUGE),--rows 10000000 100000000)

docs: .venv/.installed-dev
	$(BIN)/python -m sphinx -W --keep-going -b html docs build/docs
	@echo "Documentation: build/docs/index.html"

schema: .venv/.installed
	$(BIN)/poundlock schema plan > schema/plan.schema.json
	$(BIN)/poundlock schema system > schema/system.schema.json
	$(BIN)/poundlock schema market > schema/market.schema.json

lock:
	uv pip compile --no-emit-index-url --no-annotate --quiet -o requirements.lock pyproject.toml
	uv pip compile --no-emit-index-url --no-annotate --quiet --group dev --group docs -c requirements.lock -o requirements-dev.lock pyproject.toml
	uv pip compile --no-emit-index-url --no-annotate --quiet --group parity -c requirements.lock -o requirements-parity.lock pyproject.toml

clean:
	rm -rf .venv .venv-parity build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

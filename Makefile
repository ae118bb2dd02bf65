# make demo    the whole system on this machine: deployed, rehearsed, accounted for, gone again
# make test    every test; sets itself up
# make check   everything: format, lint, types, tests, template checks
# make bench   ratios against plain code, side by side in one run
# make sam-local   each function with its sample event in a container, its answer compared with the README's
# make local   keep the local AWS up; make local-down stops it

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.setup
CHECKOV := $(VENV)/checkov
export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
.PHONY: help setup demo local local-down sam-local test check format lint types template bench lock clean

help:
	@sed -n 's/^# //p' Makefile

setup: $(SETUP)

$(SETUP): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Backstop needs Python 3.11 or newer; name one with make PYTHON=…" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "Python cannot make a virtual environment: install your system's python3-venv" >&2; exit 2; }
	@echo "Installing what requirements-dev.txt pins into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(CHECKOV)/.setup: requirements-checkov.txt | $(SETUP)
	@$(BIN)/python -m venv $(CHECKOV)
	@$(CHECKOV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

demo: $(SETUP)
	@$(BIN)/backstop local demo $(if $(PORT),--port $(PORT))

local: $(SETUP)
	@$(BIN)/backstop local up $(if $(PORT),--port $(PORT))

local-down: $(SETUP)
	@$(BIN)/backstop local down

test: $(SETUP)
	@$(BIN)/python -m pytest
	@$(BIN)/backstop local invoke --if-possible

sam-local: $(SETUP)
	@$(BIN)/backstop local invoke

check: format lint types template test

format: $(SETUP)
	@$(BIN)/ruff format --check .

lint: $(SETUP)
	@$(BIN)/ruff check .
	@$(BIN)/bandit --quiet --recursive --configfile pyproject.toml layers functions ops

types: $(SETUP)
	@$(BIN)/mypy layers/backstop/backstop ops tests benchmarks
	@for function in functions/*/; do MYPYPATH=layers/backstop:$$function $(BIN)/mypy $$function*.py || exit 1; done

template: $(SETUP) $(CHECKOV)/.setup
	@$(BIN)/sam validate --lint --region us-east-1
	@$(BIN)/cfn-lint template.yaml
	@$(CHECKOV)/bin/checkov --file template.yaml --framework cloudformation --quiet --compact --skip-download

bench: $(SETUP)
	@$(BIN)/python -m benchmarks

lock: $(SETUP)
	@for name in layers/backstop/requirements functions/notify/requirements functions/watch/requirements \
			requirements-dev requirements-checkov; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --generate-hashes \
			--no-emit-index-url --no-emit-find-links --upgrade --output-file $$name.txt $$name.in || exit 1; done

clean:
	rm -rf $(VENV) .backstop .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis

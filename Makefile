# What people and CI call. `make up` is the first ten minutes; PYTHON picks the interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup up test soak check bench docs

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt samples.txt
	@echo "setup: installing Glassworks and its tools into $(VENV) (once, some minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,text,language,recommend,video,samples,telemetry,dev]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r samples.txt
	@touch $@

up: setup
	$(BIN)/glassworks up examples/digits.toml

test: setup
	$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder $(OPTIONS)

# Every test TIMES times, each time in another order, beside busy processes.
TIMES ?= 10
soak: setup
	$(BIN)/python tests/soak.py --times $(TIMES) --options="$(OPTIONS)"

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: setup
	@set -e; for figure in benchmarks/*.py; do echo "bench: $$figure"; $(BIN)/python "$$figure"; done

docs: setup
	$(BIN)/python docs/generate.py docs/reference

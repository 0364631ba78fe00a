# Two commands do everything on a fresh machine: `make serve` and `make test`.
# ARGS passes options on:  make serve ARGS="--port 9000 --model scenes"

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest
NPM    := PYTHON="$(abspath $(BIN)/python)" ../web/scripts/npm.sh
TORCH  := torch==2.13.0
PAGE   := server/static/index.html
PAGE_SOURCES := $(shell find web -type f -not -path '*/node_modules/*' 2>/dev/null)

# What measures time carries the marker; naming its files saves importing all the others.
ALONE  = $(shell grep -rl --include='test_*.py' 'pytest\.mark\.alone' tests)
WORKERS := 3
# Older makes than 4 can't keep the output of two targets apart.
OUTPUT_SYNC := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

.PHONY: serve test bench check check-page format page clean help
.DEFAULT_GOAL := help

help:
	@echo "make serve   set everything up and serve the page on http://127.0.0.1:8000"
	@echo "make test    set everything up and run every test"
	@echo "make bench   measure, print a table, write docs/benchmarks.md"
	@echo "make check   lint and types only        make format   format the code"

serve: $(VENV)/.server $(PAGE)
	@exec $(BIN)/riverrun serve $(ARGS)

# Python's packages come beside the system's Chromium, the page beside the checks of Python. The tests
# that measure time run first and alone, the others in several processes: they wait for deadlines,
# servers and the browser as much as they compute. With ARGS it is one plain pytest.
test:
	@$(MAKE) --no-print-directory -j2 $(VENV)/.dev $(VENV)/.browser
	@$(MAKE) --no-print-directory -j2 $(OUTPUT_SYNC) check $(PAGE) check-page || \
	  { echo "A check failed: see further up."; exit 1; }
ifeq ($(strip $(ARGS)),)
	@$(PYTEST) -m alone $(ALONE); alone=$$?; \
	$(PYTEST) -m "not alone" -n $(WORKERS) --dist loadscope --no-loadscope-reorder || exit; \
	[ $$alone = 0 ] || { echo "Of the tests that run alone some failed: see further up."; exit $$alone; }
else
	$(PYTEST) $(ARGS)
endif

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check-page: web/node_modules/.installed
	cd web && $(NPM) run check
	cd web && $(NPM) run test

bench: $(VENV)/.dev $(PAGE)
	$(BIN)/python -m loadtests bench $(ARGS)

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

page: $(PAGE)

clean:
	rm -rf $(VENV) web/node_modules server/static build *.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Riverrun needs Python 3.11 or newer: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# torch first: PyPI's own Linux build brings gigabytes of CUDA that a machine without NVIDIA can't
# use, so such a machine asks PyTorch's CPU index, briefly, before it falls back to PyPI.
$(VENV)/.torch: | $(BIN)/python
	@if [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null 2>&1 && \
	   ! $(BIN)/python -c 'import torch' 2>/dev/null; then \
	  echo "installing $(TORCH) for CPUs"; \
	  $(PIP) install -q --no-deps --timeout 5 --retries 0 \
	    --index-url https://download.pytorch.org/whl/cpu $(TORCH) >/dev/null 2>&1 || \
	    echo "PyTorch's CPU index can't be reached: taking the plain package"; \
	fi
	$(PIP) install -q $(TORCH) -c constraints.txt
	@touch $@

$(VENV)/.server: pyproject.toml constraints.txt $(VENV)/.torch
	$(PIP) install -q -c constraints.txt -e '.[server]'
	@touch $@

$(VENV)/.dev: $(VENV)/.server
	$(PIP) install -q -c constraints.txt -e '.[server,train,dev]'
	@touch $@

web/node_modules/.installed: web/package.json web/package-lock.json | $(VENV)/.server
	cd web && $(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

$(PAGE): web/node_modules/.installed $(PAGE_SOURCES)
	cd web && $(NPM) run build
	@touch $@

# The browser tests drive the system's Chromium.
$(VENV)/.browser: | $(BIN)/python
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
	  command -v google-chrome >/dev/null || { \
	    echo "installing Chromium from the system's packages"; \
	    sudo=; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	    $$sudo apt-get update -q && $$sudo apt-get install -y -q --no-install-recommends \
	      chromium fonts-liberation; } >/dev/null || \
	  { echo "Install Chromium for the browser tests (Debian: apt install chromium)"; exit 1; }
	@touch $@

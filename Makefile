# The words of this project: `make help` lists them. Nothing but Python 3.11 to 3.13 needs to be installed.

VENV ?= .venv
# Another interpreter for the environment: make PYTHON=python3.12 run
PYTHON ?=
# More words for pytest or the benchmarks: make test ARGS="tests/house -x"
ARGS ?=

LOCK = requirements.txt
DEV_LOCK = requirements.txt requirements-dev.txt
UV_COMPILE = $(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--no-emit-index-url --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help run test check format bench chaos assets lock clean install install-dev

help:  ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null || true

run: install  ## Start Engine and keep it running until Ctrl-C
	@exec $(VENV)/bin/python manage.py up

test: install-dev  ## Run all tests: the quick ones, then real processes, then a real browser
	@test -x /usr/bin/chromium || echo "No /usr/bin/chromium: the browser tests are skipped. To get it: apt-get install chromium"
ifeq ($(ARGS),)
	@$(VENV)/bin/python -m pytest -n 2 -m "not process and not browser"
	@exec $(VENV)/bin/python -m pytest -n 2 --dist loadfile -m "process or browser"
else
	@exec $(VENV)/bin/python -m pytest $(ARGS)
endif

check: install-dev  ## Lint, formatting and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: install-dev  ## Put the code into its form
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

bench: install-dev  ## Measure against the budgets of docs/performance.md
	@exec $(VENV)/bin/python -m benchmarks $(ARGS)

chaos: install-dev  ## Kill, freeze and cut off at random for minutes: make chaos ARGS="--seed 7 --seconds 60"
	@exec $(VENV)/bin/python -m tests.chaos $(ARGS)

assets:  ## Vendor the front-end packages again (needs Node; never needed to run)
	npm ci --no-audit --no-fund
	npm run --silent assets

lock: install-dev  ## Pin the newest packages that requirements*.in allow
	$(UV_COMPILE) --upgrade --output-file requirements.txt requirements.in
	$(UV_COMPILE) --upgrade --output-file requirements-dev.txt requirements-dev.in

clean:  ## Remove what running and testing left behind, but not the data in .engine/
	rm -rf $(VENV) staticfiles .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './node_modules/*' -prune -exec rm -rf {} +

install:
	@tools/install "$(VENV)" "$(PYTHON)" $(LOCK)

install-dev:
	@tools/install "$(VENV)" "$(PYTHON)" $(DEV_LOCK)

# Needs make, sh and a Python 3.11 or newer with its venv module; everything else comes by pip.

SHELL = /bin/sh
PYTHON ?= $(or $(STELLWERK_PYTHON),python3)
LANGUAGE ?= en
BIN = .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo run test test-switch test-swarm fuzz chaos bench check audit advisories lint format \
  types docs constraints clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  PYTHON=python3.12   another interpreter for .venv"
	@echo "  LANGUAGE=de         language of the demo's video (en, de)"
	@echo "  ONLY=poll,submit    some sections of make bench; QUICK=1: tiny, shows that it works"

setup: ## prepare .venv; does nothing when it is up to date
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "error: $(PYTHON) is not installed. Debian: apt-get install python3 python3-venv" >&2; \
	  exit 1; }
	@$(PYTHON) tools/bootstrap.py

demo: setup ## bring everything up on free ports, make a video through it, and stop again
	@$(BIN)/python -m stellwerk.cli.main demo --language $(LANGUAGE)

run: setup ## bring everything up on port 8000 and stay; Ctrl-C ends it
	@exec $(BIN)/stellwerk up

test: setup ## run the tests
	@PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -q -n 3 --dist loadgroup

test-switch: setup ## try the trunk on the simulator, and on STELLWERK_TEST_ESL=host:port:password
	@if [ -n "$${STELLWERK_TEST_ESL:-}" ]; then \
	  echo "Against the simulator, and against the switch at $${STELLWERK_TEST_ESL%:*}:"; \
	else echo "Against the simulator alone; STELLWERK_TEST_ESL names no switch:"; fi
	@$(BIN)/pytest -v --no-header tests/conformance/test_switch.py

test-swarm: setup ## try modules on a Docker Swarm of the tests' own; as root, with dockerd
	@$(BIN)/pytest -q -rs --no-header -m swarm

fuzz: setup ## send generated requests to every route in the OpenAPI document, others each time
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-30} $(BIN)/pytest -q -n 3 --dist loadgroup \
	  tests/stellwerk_api/documentation/test_fuzz.py

chaos: setup ## kill workers 40 times under 20,000 jobs, ours and bare Celery's; writes docs/chaos.md
	@PYTHONPATH=tests/support $(BIN)/python tests/chaos/forty_kills.py

bench: setup ## measure the goals beside other systems, and write docs/benchmarks.md
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only "$(ONLY)") \
	  $(if $(QUICK),--quick --output benchmarks/.work/quick)

check: lint types advisories test ## everything that has to be green

audit: setup ## ask osv.dev for known weaknesses of the packages in constraints.txt
	@$(BIN)/python tools/audit.py

advisories: setup  # tells; what fails for them is audit, since they change without the code
	@$(BIN)/python tools/audit.py || true

lint: setup ## style, formatting and the arrows between packages
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports

format: setup ## mend style and formatting where a tool can
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

types: setup ## check the types
	@$(BIN)/mypy

docs: setup ## write the documents that are made from the code
	@$(BIN)/python -m stellwerk.docs

constraints: ## write down the versions in .venv as those that were tested together
	@{ sed -n '/^#/p' constraints.txt; \
	  $(BIN)/pip freeze --exclude-editable | grep -v -i -E '^(stellwerk|setuptools|pip)\b'; \
	} > constraints.new && mv constraints.new constraints.txt

clean: ## remove .venv and what tools left; data in .stellwerk stays
	rm -rf .venv benchmarks/.venvs build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache .coverage .coverage.* htmlcov
	find . -name __pycache__ -not -path './.stellwerk/*' -prune -exec rm -rf {} +

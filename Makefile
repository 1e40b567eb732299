# Everything a newcomer needs: `make demo` and `make test` set up what they need by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: setup demo test test-train lint bench pupil golden clean
.DEFAULT_GOAL := demo

setup: $(READY)

# Without dependency resolution an install from the lock takes half the time. It does compile: where Python may not write
# byte code (PYTHONDONTWRITEBYTECODE), every process would otherwise compile everything it imports, each time anew.
INSTALL := -m pip install --quiet --quiet --disable-pip-version-check --no-deps

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "Questmill needs Python 3.11, 3.12 or 3.13; name one: make PYTHON=python3.11"; exit 1; }
	@echo "setting up $(VENV) (a minute or two, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python $(INSTALL) --requirement requirements.lock
	@$(BIN)/python $(INSTALL) --editable .
	@$(BIN)/python -m pip check --disable-pip-version-check > $(VENV)/pip-check.txt || { cat $(VENV)/pip-check.txt; exit 1; }
	@touch $@

demo: $(READY)
	$(BIN)/questmill run verify --input data/seeds/attempts.jsonl
	$(BIN)/questmill query "SELECT step, rows_in, kept, rejected, quarantined FROM funnel ORDER BY position" --format table
	$(BIN)/questmill query "SELECT model, verdict, rule, gold_parsed, answer_parsed FROM verified LIMIT 3" --format table

test: $(READY)
	@$(BIN)/python -m pytest -n 3 --dist worksteal

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# One benchmark a file, each prints its row and writes it to tests/bench/results.json: make bench [ONLY=spine.b]
bench: $(READY)
	@$(BIN)/python -m tests.bench $(ONLY)

# Train the model that ships in data/models/pupil: some 90 minutes on 2 cores, minutes on a GPU; a killed one continues.
pupil: $(VENV)/train
	$(BIN)/questmill run pupil

# The tests that need torch, which `make test` skips where it is not installed.
test-train: $(VENV)/train
	@$(BIN)/python -m pytest tests/tasks/test_train.py tests/tasks/test_examine.py tests/infra/engines

# With dependencies: what torch needs depends on the machine and its GPU.
$(VENV)/train: $(READY) requirements-train.lock
	@$(BIN)/python -m pip install --quiet --quiet --constraint requirements.lock --requirement requirements-train.lock
	@touch $@

# Only after a change that leaves the behaviour of a stage as it was; otherwise bump the stage's `version`.
golden: $(READY)
	@$(BIN)/python tests/schemas/test_identity.py

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache

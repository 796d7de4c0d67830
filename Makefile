# make demo   the main job, on example files, against a test server in place of HubSpot
# make test   the tests          make test-fast   those without servers, browsers and processes
# make test-again  those that failed last, one after the other
# make test-long   the long proofs and repeats; ONLY=kills for some of them
# make chaos  seeded runs while everything fails; SEEDS=300 FROM=1000, HOURS=1, or SEED=17 to replay one
# make planted    plants bugs in a copy, one after the other, and runs the tests that must catch them; ONLY="name …"
# make bench  Turnout beside a bare loop and other queues, as one table; ROUNDS=3 SCALE=0.1 ONLY="stream-* dramatiq" …
# make check  ruff, mypy, import-linter
# make screenshots   the pictures of docs/console.md, which need Debian's Chromium
# make docs   the documents as a site, in build/docs      make diagrams   its pictures, which need npm and Chromium
# make sbom   the bills of materials, in build    make advisories   what is known of the pinned packages
# make wheel  Turnout as a package, in build/dist, for a machine of production
# make up     everything on this machine          make clean
# make migration NAME="what changes"   the migration from the last one to the models, to be read and corrected

PYTHON ?= python3
VENV := .venv
# What the caller has set for another installation is none of the demo's or the tests' business.
# The tests start Python hundreds of times: without its cache each start compiles everything again.
ALONE := env -u PYTHONDONTWRITEBYTECODE $(foreach name,$(filter TURNOUT_%,$(shell env | cut -d= -f1)),-u $(name))
# What makes the bill of materials and asks for advisories has packages of its own, which nothing else needs.
SUPPLY := build/supply
# More than there are cores: many tests wait.
TESTS := $(VENV)/bin/python -m pytest -n $(or $(WORKERS),5)

CONTEST := build/bench

.PHONY: setup demo test test-again test-fast test-long chaos planted bench check docs diagrams screenshots wheel up clean pins migration sbom advisories

setup: $(VENV)/.ready

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Turnout needs Python 3.11 or newer: make setup PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@echo "Installing Turnout's packages into $(VENV): one to three minutes, once."
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

demo: setup
	@$(ALONE) $(VENV)/bin/python examples/demo.py

test: setup
	$(ALONE) $(TESTS) -m "not long" $(if $(CI),--budget 360)

test-again: setup
	$(ALONE) $(VENV)/bin/python -m pytest -m "not long" --last-failed --last-failed-no-failures none

test-fast: setup
	$(ALONE) $(TESTS) -m "not long and not slow" $(if $(CI),--budget 90)

test-long: setup
	$(ALONE) $(VENV)/bin/python -m pytest -n $(or $(WORKERS),0) -m long -k "$(ONLY)" --timeout 1800

chaos: setup
	$(ALONE) $(VENV)/bin/python -m tests.chaos $(if $(SEED),--seed $(SEED),$(if $(HOURS),--hours $(HOURS),--seeds $(or $(SEEDS),20)) --from $(or $(FROM),1))

planted: setup
	$(ALONE) nice $(VENV)/bin/python -m tests.planted_bugs $(ONLY)

# The other queues have packages of their own, which nothing else needs.
$(CONTEST)/.ready: bench/requirements.txt
	@echo "Installing the other queues' packages into $(CONTEST)/venv: a minute, once."
	@$(PYTHON) -m venv $(CONTEST)/venv
	@$(CONTEST)/venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r bench/requirements.txt
	@touch $@

bench: setup $(CONTEST)/.ready
	$(ALONE) $(VENV)/bin/python -m bench --rounds $(or $(ROUNDS),3) --scale $(or $(SCALE),1) --only $(or $(foreach name,$(ONLY),'$(name)'),'*') $(if $(SHAPES),--shapes $(SHAPES)) $(if $(EVENT),--event $(EVENT)) $(if $(FILLED),--filled $(FILLED)) $(if $(LATENCY),--latency $(LATENCY)) $(if $(HTTP),--http $(HTTP))

check: setup
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

screenshots: setup
	$(ALONE) $(VENV)/bin/python -m tests.screenshots

docs: setup
	$(ALONE) $(VENV)/bin/python docs/generate.py
	$(VENV)/bin/python -m sphinx --fail-on-warning --keep-going --quiet --fresh-env docs build/docs

diagrams: setup
	$(VENV)/bin/python docs/draw.py

$(SUPPLY)/.ready: requirements/supply.txt
	@$(PYTHON) -m venv $(SUPPLY)
	@$(SUPPLY)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/supply.txt
	@touch $@

# One for the packages of `requirements/base.txt`, and one with the extras `tracing` and `sentry`.
sbom: $(SUPPLY)/.ready
	@for pins in base reports; do \
	  $(SUPPLY)/bin/python -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible \
	    -o build/turnout-$$pins.cdx.json requirements/$$pins.txt || exit; \
	done
	@echo "The bills of materials are build/turnout-base.cdx.json and, with the extras, build/turnout-reports.cdx.json."

advisories: $(SUPPLY)/.ready
	@$(SUPPLY)/bin/python .ci/advisories.py $(SUPPLY)/bin/pip-audit requirements/base.txt requirements/reports.txt requirements/dev.txt requirements/supply.txt

# What an earlier one left would be packed too.
wheel:
	@rm -rf build/lib build/bdist.* build/dist
	@$(PYTHON) -m venv build/builder
	@build/builder/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements/build.txt
	@build/builder/bin/python -m pip wheel --quiet --disable-pip-version-check --no-index --no-build-isolation --no-deps --wheel-dir build/dist .
	@ls build/dist/*.whl

up: setup
	@$(VENV)/bin/turnout up

migration: setup
	$(ALONE) $(VENV)/bin/python -m worker.local.migrate $(NAME)

# The pins name no registry: hashes say what is meant, wherever it comes from.
pins:
	uv pip compile --universal --python-version 3.11 --no-emit-index-url --generate-hashes --no-header -q pyproject.toml -o requirements/base.txt
	uv pip compile --universal --python-version 3.11 --no-emit-index-url --generate-hashes --no-header -q pyproject.toml --extra tracing --extra sentry -o requirements/reports.txt
	uv pip compile --universal --python-version 3.11 --no-emit-index-url --generate-hashes --no-header -q --group build -o requirements/build.txt
	uv pip compile --universal --python-version 3.11 --no-emit-index-url --generate-hashes --no-header -q pyproject.toml --extra embedded --extra tracing --extra sentry --group dev -o requirements/dev.txt
	uv pip compile --universal --python-version 3.11 --no-emit-index-url --generate-hashes --no-header -q --group supply -o requirements/supply.txt
	uv pip compile --universal --python-version 3.11 --no-emit-index-url --generate-hashes --no-header -q --group contestants -o bench/requirements.txt

clean:
	rm -rf $(VENV) build *.egg-info .turnout .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

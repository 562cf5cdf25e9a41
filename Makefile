# Two commands on a fresh machine with Python >= 3.11, make and pip: `make verify` and `make test`.

PYTHON ?= python3
PYTHON312 ?= python3.12
VENV ?= .venv
STAMP := $(VENV)/.installed
BIN := $(VENV)/bin
REPORT ?= reports/generated
STORE ?= .hippo-verify/run
SUITE ?= quick
SEED ?= 0
# What `make gate` compares, and how many commits `make bench` measures, kept under which name of this machine.
BASE ?= HEAD~1
HEAD ?= HEAD
LAST ?= 1
MACHINE ?=
RESULTS ?= .asv/results
# One BLAS thread per process: the campaign already uses every core, and verdicts must not depend on the count.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
# Tests start some thousand processes; without kept bytecode each would compile our modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: verify test test-random test-nightly lint docs docs-links site wheel release-check bench gate dashboard claims published \
	published-dashboard published-claims published-keras-lmu published-3-12 power mutants clean
.DEFAULT_GOAL := verify

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "hippo-verify needs Python >= 3.11; $(PYTHON) is $$($(PYTHON) --version). Try make PYTHON=python3.12"; exit 1; }
	@echo "Setting up $(VENV) with pinned versions; a minute or two, once."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

verify: $(STAMP)  ## our backends and the third-party libraries against the exact reference, with an HTML report
	$(BIN)/hippo-verify run --suite $(SUITE) --seed $(SEED) --store $(STORE) --report $(REPORT)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(STAMP) lint  ## lint, types, walls, then the tests
	$(BIN)/python -m pytest -n 2

test-random: $(STAMP)  ## the tests in another order each time; pytest says how to repeat it
	$(BIN)/python -m pytest -n 2 --randomly-seed=default

test-nightly: $(STAMP)  ## the tests with those that take minutes, many drawn examples, and an order drawn anew
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest -n 2 --runslow --randomly-seed=default

bench: $(STAMP)  ## speed and error of the last commits, into the history: make bench LAST=20
	$(BIN)/hippo-verify bench --last $(LAST) $(if $(MACHINE),--machine $(MACHINE))

gate: $(STAMP)  ## speed and error of one commit against another: make gate BASE=main
	$(BIN)/hippo-verify gate --base $(BASE) --head $(HEAD)

dashboard: $(STAMP)  ## the history, and the verdicts of the last `make verify`, as a site
	$(BIN)/hippo-verify dashboard --repository . --results $(RESULTS) --out $(REPORT)/dashboard \
		$(if $(wildcard $(STORE)),--store $(STORE)) $(if $(MACHINE),--machine $(MACHINE))

docs: $(STAMP)  ## the documentation, into reports/generated/docs; a warning is an error
	@# After a failure all is read again: what is kept would not be warned of a second time.
	$(BIN)/python -m sphinx -n -W --keep-going -q -b html -d $(REPORT)/doctrees docs $(REPORT)/docs \
		|| { rm -rf $(REPORT)/doctrees; exit 1; }
	@echo "wrote $(REPORT)/docs/index.html"

docs-links: $(STAMP)  ## whether every address on the web that the documentation names answers: needs a network
	$(BIN)/python -m sphinx -b linkcheck -q -d $(REPORT)/doctrees docs $(REPORT)/linkcheck

site: docs dashboard  ## both as one site: the documentation, and the dashboard in its folder dashboard
	rm -rf $(REPORT)/docs/dashboard
	cp -R $(REPORT)/dashboard $(REPORT)/docs/dashboard

published-dashboard: $(STAMP)  ## the same without asv's own pages, which are large, into reports/published
	$(BIN)/hippo-verify dashboard --repository . --results $(RESULTS) --out reports/published/dashboard --no-asv \
		$(if $(wildcard $(STORE)),--store $(STORE)) $(if $(MACHINE),--machine $(MACHINE))

wheel: $(STAMP)
	$(BIN)/python -m build --wheel

release-check: $(STAMP)  ## what a release sees: the distributions, and the wheel alone and with each extra (many minutes)
	$(BIN)/python -m pytest tests/packaging --runslow -rP

published: $(STAMP)  ## the verdicts on third-party libraries that README and reports/published show
	$(BIN)/hippo-verify run --targets third-party --store .hippo-verify/published
	$(BIN)/hippo-verify report .hippo-verify/published --libraries reports/published

# Libraries that do not go into the pinned environment: each has its own, and its verdicts join the same table and page.
published-keras-lmu: $(STAMP)  ## TensorFlow: more than two gigabytes
	@test -x $(VENV)-keras-lmu/bin/python || $(PYTHON) -m venv $(VENV)-keras-lmu
	@$(VENV)-keras-lmu/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[keras-lmu]'
	$(VENV)-keras-lmu/bin/hippo-verify run --store .hippo-verify/published-keras-lmu \
		--targets keras-lmu,keras-lmu-trainable,keras-lmu-raw,keras-lmu-fft
	$(BIN)/hippo-verify report .hippo-verify/published-keras-lmu --libraries reports/published --environment keras-lmu

published-3-12: $(STAMP)  ## libraries for Python 3.12: make published-3-12 PYTHON312=python3.12
	@test -x $(VENV)-3-12/bin/python || $(PYTHON312) -m venv $(VENV)-3-12
	@$(VENV)-3-12/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[third-party-3-12]'
	$(VENV)-3-12/bin/hippo-verify run --store .hippo-verify/published-3-12 --targets juniper-lmu,discretax-s5
	$(BIN)/hippo-verify report .hippo-verify/published-3-12 --libraries reports/published --environment python-3.12

# 1 and 5 are answers too: a claim does not hold here, or it is undecided.
claims: $(STAMP)  ## the papers' claims, small: minutes, and a page
	$(BIN)/hippo-verify claims --quick --json $(REPORT)/claims.json --report $(REPORT) || test $$? = 1 -o $$? = 5

published-claims: $(STAMP)  ## the same at the default size, half an hour, into reports/published
	$(BIN)/hippo-verify claims --json .hippo-verify/claims.json --markdown reports/published/claims.md \
		--report reports/published || test $$? = 1 -o $$? = 5

power: $(STAMP)  ## which property rejects which seeded defect, and whether any right variant is rejected (minutes)
	$(BIN)/hippo-verify checks --power --seeds 1000 --markdown reports/published/power.md

mutants: $(STAMP)  ## one change at a time in the code that verdicts rest on: do the tests find it? (ten minutes)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt mutmut
	nice $(BIN)/python tests/mutation/run.py

clean:
	rm -rf $(VENV) .hippo-verify build dist reports/generated

# make run      trains on an embedded data set to its target; no download
# make test     everything that CI runs; with CI=true the tests also print their coverage
# make coverage the tests, and which lines of the package they run
# make simulate how often verdicts are wrong on made-up records with known truth; minutes
# make bench    the speed of the loop on this machine
# make site     the documentation site in build/site, with the pictures of all examples; minutes
# make docs     writes docs/selectors.md, the tree in docs/architecture.md and the table in docs/which_selector.md
# make fuzz     tries damaged and hostile files on every reader; takes a quarter of an hour
# make conformance trains 5,000 random combinations by Keras and by batchsel in two processes, and compares; takes two hours
# make soak     kills runs, experiments and downloads at a thousand moments; takes an hour
# make slurm    runs experiments on a real SLURM on this machine, as root; skipped where Debian's slurm-wlm is missing
# make hooks    runs ruff and codespell before each commit

# The first of these that runs; the shims of version managers may be there and not run.
runs = $(shell python$(1) -c 'import sys; print(sys.executable)' 2>/dev/null)
PYTHON ?= $(firstword $(call runs,3.12) $(call runs,3.13) $(call runs,3.11) python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TESTS := $(filter-out tests/helpers/ tests/soak/ tests/__pycache__/,$(wildcard tests/*/))

.PHONY: help run test lint tests coverage doctest docs site bench simulate conformance soak slurm fuzz hooks constraints clean

help:
	@sed -n 's/^# make/make/p' Makefile

$(READY): constraints.txt pyproject.toml setup.cfg
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v < (3, 14) or sys.exit(f"batchsel needs Python 3.11 to 3.13, {sys.executable} is {v[0]}.{v[1]}; give another one: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

run: $(READY)
	$(BIN)/batchsel run --dataset digits --selector loss_ema --plot digits.png

test: lint $(if $(CI),coverage,tests) doctest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/pyright
	$(BIN)/python -m pytest --quiet tests/core/test_layout.py

# Several processes: TensorFlow keeps what it has compiled as long as a process lives, gigabytes over all tests. Folders
# whose tests fail do not stop the others; they are named at the end.
# What is compiled is mostly small and runs for moments, so XLA compiles it in half of the time, without optimizing
# (tests/conftest.py); the files of OPTIMIZED, which compare compiled runs with others, are compiled as users' code is.
OPTIMIZED := $(addprefix tests/training/,test_agrees_with_keras.py test_checkpoint.py test_compilation.py test_loop.py)
IN_TRAINING := $(filter-out %/__pycache__/,$(wildcard tests/training/*/))
TRAINING := $(filter-out $(OPTIMIZED),$(wildcard tests/training/test_*.py))
OTHERS := $(filter-out tests/selectors/ tests/training/,$(TESTS))
define run-tests
	@failed=; for folders in tests/selectors/ "$(IN_TRAINING)" "$(TRAINING)" "$(OTHERS)" "$(OPTIMIZED)"; do \
		echo "$$folders"; flags=; \
		if test "$$folders" = "$(OPTIMIZED)"; then flags=--xla_backend_optimization_level=3; fi; \
		XLA_FLAGS="$${XLA_FLAGS:-$$flags}" $(BIN)/python -m pytest --quiet --numprocesses=2 --dist=loadfile \
			--no-loadscope-reorder \
			--durations=10 $(1) $$folders || failed="$$failed $$folders"; \
	done; \
	test -z "$$failed" || { echo "failed:$$failed"; exit 1; }
endef

tests: $(READY)
	$(call run-tests)

# Apart from 'make tests', because tracing takes a fifth more time; less where Python can monitor itself (3.12).
coverage: export COVERAGE_CORE = $(shell $(BIN)/python -c 'import sys; print("sysmon" if sys.version_info >= (3, 12) else "ctrace")')
coverage: $(READY)
	$(BIN)/coverage erase
	$(call run-tests,--cov --cov-append --cov-report=)
	$(BIN)/coverage report

# The examples of all docstrings, run on the wheel that users get, away from the checkout.
doctest: $(READY)
	rm -rf build/wheel build/installed build/lib
	$(BIN)/python -m build --quiet --wheel --outdir build/wheel
	$(BIN)/python -m pip install --quiet --no-deps --target build/installed build/wheel/*.whl
	cd build && PYTHONPATH=$(CURDIR)/build/installed ../$(BIN)/python -m pytest --quiet -c ../pyproject.toml \
		--rootdir installed -p no:cacheprovider --doctest-modules installed/batchsel

docs: $(READY)
	$(BIN)/batchsel selectors page experiments/methods_on_digits experiments/methods_on_fashion_mnist > docs/selectors.md
	$(BIN)/python docs/tree.py
	$(BIN)/python docs/evidence.py

site: $(READY)
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -b html -d build/site-cache docs build/site

bench: $(READY)
	$(BIN)/batchsel bench loop

fuzz: $(READY)
	PYTHONPATH=tests/helpers $(BIN)/python -m fuzzing

soak: $(READY)
	PYTHONPATH=tests/helpers $(BIN)/python tests/soak/soak.py

slurm: $(READY)
	$(BIN)/python tests/soak/slurm.py

conformance: $(READY)
	seq 0 250 4750 | PYTHONPATH=tests/helpers xargs -P 2 -I FIRST $(BIN)/python tests/helpers/conformance.py 250 --first FIRST

simulate: $(READY)
	$(BIN)/python tests/helpers/simulate.py

hooks: $(READY)
	$(BIN)/pre-commit install

constraints: $(READY)
	{ sed -n 1p constraints.txt; $(BIN)/python -m pip freeze --all --exclude pip --exclude-editable; } > constraints.new
	mv constraints.new constraints.txt

clean:
	rm -rf build dist *.egg-info .coverage

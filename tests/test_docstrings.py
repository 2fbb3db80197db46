"""Every public module, class, function and method says what it is."""

from __future__ import annotations

import ast
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

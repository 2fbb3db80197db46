"""Kinds of reports a file may hold: ``files/reports/X_file.py`` reads the kind ``X``, ``X_tables.py`` prints it."""

from __future__ import annotations

import importlib
from typing import Any

KINDS = ("similarity", "predictions", "robustness", "frequencies", "walk")


def report_kind(path: str) -> str | None:
    """Return which kind of report a file calls itself, None where it is none; FormatError where it cannot be read."""
    return next((kind for kind in KINDS if _of(f"files.reports.{kind}_file", f"is_{kind}")(path)), None)


def read_report(kind: str, path: str) -> Any:
    """Return what a report holds; FormatError where it holds something else."""
    return _of(f"files.reports.{kind}_file", f"read_{kind}")(path)


def report_facts(kind: str, found: Any) -> dict[str, Any]:
    """Return what there is to say of a report, as JSON."""
    facts: dict[str, Any] = _of(f"commands.reports.{kind}_tables", f"{kind}_facts")(found)
    return facts


def _of(module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"landscape.{module}"), name)

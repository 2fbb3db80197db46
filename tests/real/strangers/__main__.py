"""Networks and losses of other people's packages, each compared with a loop of its own that moves the weights.

    python -m tests.real.strangers            all whose package is installed: a table row each
    python -m tests.real.strangers NAME ...   some

Two networks of random weights; the loss on the line between them, at 0, 0.4 and 1, is compared with that of a network
whose weights were mixed by hand, measured sample by sample (or batch by batch, where a loss is of a batch), and the
greatest eigenvalue of the Hessian at the first with that of products differentiated twice by hand. The table in
docs/networks.md is what this prints. Nothing here trains: any weights do.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from tests.real.strangers import language, science, training  # noqa: F401 (they register their cases)
from tests.real.strangers.comparison import CASES, eigenvalue_error_of, error_of


def main(names: Sequence[str]) -> int:
    """Print a row of the table for each case that can be run; return how many are wrong."""
    wrong = 0
    for name, (package, what, build) in CASES.items():
        if names and name not in names:
            continue
        try:
            version = getattr(importlib.import_module(package), "__version__", "")
        except ImportError:
            print(f"| {package} | {what} | not installed | | |")
            continue
        try:
            case = build()
            error, engine = error_of(case)
            other = eigenvalue_error_of(case)
        except Exception as failure:
            print(f"| {package} {version} | {what} | {type(failure).__name__}: {str(failure)[:300]} | | |")
            wrong += 1
            continue
        wrong += not (error < 1e-5 and (other is None or other < 1e-3))
        curved = "refused" if other is None else f"{other:.0e}"
        print(f"| {package} {version} | {what} | {error:.0e} | {curved} | {engine} |", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

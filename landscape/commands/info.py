"""Say what is in a file: a surface, directions of the 2018 tool, or a checkpoint.

landscape info net.h5            how complete, how trustworthy, made by whom from what
landscape info net.pt            the tensors in it
landscape info --json *.h5       the same for programs, one line of JSON a file
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landscape.checkpoint import Checkpoint
    from landscape.original import OriginalDirections
    from landscape.surface import Surface


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="surface, direction file or checkpoint")
    parser.add_argument("--json", action="store_true", help="one line of JSON a file")
    parser.add_argument("--checkpoint-key", metavar="KEY", help="which of several networks in a checkpoint")
    parser.add_argument(
        "--trust-checkpoint", action="store_true", help="let a checkpoint run code of its own: only if you trust it"
    )


def run(options: argparse.Namespace) -> int:
    """Describe each file; one that cannot be read is reported, and the others follow."""
    from landscape.errors import LandscapeError
    from landscape.strict_json import plain_json

    failed = 0
    for number, path in enumerate(options.files):
        try:
            found = _load(path, options)
        except LandscapeError as error:
            if len(options.files) == 1:
                raise
            print(f"landscape: error: {' '.join(str(error).split())}", file=sys.stderr)
            failed = 1
            continue
        if options.json:
            print(plain_json(_facts(found)))
        else:
            if number:
                print()
            _show(found)
    return failed


def _load(path: str, options: argparse.Namespace) -> Surface | OriginalDirections | Checkpoint:
    from landscape.files import HDF5_SIGNATURE, read_start
    from landscape.store import is_surface, read_surface

    if is_surface(path):
        return read_surface(path)
    if read_start(path, len(HDF5_SIGNATURE)) == HDF5_SIGNATURE:
        from landscape.original import load_original

        return load_original(path)
    from landscape.checkpoint import load_checkpoint  # loads torch

    return load_checkpoint(path, key=options.checkpoint_key, trust=options.trust_checkpoint)


def _facts(found: Surface | OriginalDirections | Checkpoint) -> dict[str, Any]:
    from landscape.commands.facts import surface_facts, tensors_facts
    from landscape.original import OriginalDirections
    from landscape.surface import Surface

    if isinstance(found, Surface):
        return surface_facts(found)
    if isinstance(found, OriginalDirections):
        ratio = found.explained_variance_ratio
        return {
            "path": found.path,
            "kind": "directions of the 2018 tool",
            "sha256": found.digest,
            "explained_variance_ratio": None if ratio is None else ratio.tolist(),
            "directions": [tensors_facts({str(n): t for n, t in enumerate(each)}) for each in found.tensors],
        }
    return {
        "path": found.path,
        "kind": "checkpoint",
        "sha256": found.sha256,
        "description": found.description,
        "candidates": list(found.candidates),
        "metadata": dict(found.metadata),
        "tensors": tensors_facts(found.tensors),
    }


def _show(found: Surface | OriginalDirections | Checkpoint) -> None:
    from landscape.commands.tables import show_checkpoint, show_directions, show_surface
    from landscape.original import OriginalDirections
    from landscape.surface import Surface

    facts = _facts(found)
    if isinstance(found, Surface):
        show_surface(facts)
    elif isinstance(found, OriginalDirections):
        show_directions(facts)
    else:
        show_checkpoint(facts)

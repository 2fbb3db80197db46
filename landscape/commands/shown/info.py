"""Say what is in a file: surface, curvature, similarity, predictions, robustness, directions of 2018, checkpoint.

landscape info net.h5              how complete, how trustworthy, made by whom from what
landscape info net.pt              the tensors in it
landscape info --json a.h5 b.h5    the same for programs, one line of JSON a file
landscape info --compare a.h5 b.h5      how the second surface differs from the first, on the same samples
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landscape.files.li2018 import OriginalDirections
    from landscape.problem.checkpoints.checkpoint import Checkpoint
    from landscape.surface.reports.curvature import Curvature, CurvatureRun
    from landscape.surface.surface import Surface

    Found = Surface | dict[str, Curvature] | dict[str, CurvatureRun] | OriginalDirections | Checkpoint


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="surface, curvature, similarity, predictions, robustness, direction file or checkpoint",
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON a file")
    parser.add_argument(
        "--compare",
        action="store_true",
        help="of two surfaces on the same grid and samples: how much higher the second is, with the error of that",
    )
    parser.add_argument("--checkpoint-key", metavar="KEY", help="which of several networks in a checkpoint")
    parser.add_argument(
        "--trust-checkpoint", action="store_true", help="let a checkpoint run code of its own: only if you trust it"
    )


def run(options: argparse.Namespace) -> int:
    """Describe each file; one that cannot be read is reported, and the others follow."""
    from landscape.commands.words import for_terminal, one_line
    from landscape.errors import LandscapeError
    from landscape.files.strict_json import plain_json

    if options.compare:
        return _compare(options)
    failed = 0
    for number, path in enumerate(options.files):
        try:
            facts = _facts(path, options)
        except LandscapeError as error:
            if len(options.files) == 1:
                raise
            print(f"landscape: error: {for_terminal(one_line(str(error)))}", file=sys.stderr)  # noqa: T201
            failed = 1
            continue
        if options.json:
            print(plain_json(facts))  # noqa: T201 - in ASCII
        else:
            from landscape.commands.shown.tables import show_file

            show_file(facts, after_another=number > 0)
    return failed


def _compare(options: argparse.Namespace) -> int:
    """Say how the second of two surfaces differs from the first."""
    from landscape.commands.printed import show
    from landscape.commands.shown.comparison import comparison_facts, print_comparison
    from landscape.errors import UsageError
    from landscape.files.store import read_surface
    from landscape.files.strict_json import plain_json

    if len(options.files) != 2:
        raise UsageError(f"--compare takes two surfaces, {len(options.files)} files were given")
    facts = comparison_facts(*(read_surface(path) for path in options.files))
    if options.json:
        print(plain_json(facts))  # noqa: T201 - JSON escapes what a terminal would obey
    else:
        show(print_comparison, facts)
    return 0


def _facts(path: str, options: argparse.Namespace) -> dict[str, Any]:
    from landscape.commands.reports.report_kinds import read_report, report_facts, report_kind

    kind = report_kind(path)
    return _other_facts(path, _load(path, options)) if kind is None else report_facts(kind, read_report(kind, path))


def _load(path: str, options: argparse.Namespace) -> Found:
    from landscape.files.atomic import HDF5_SIGNATURE, read_start
    from landscape.files.reports.curvature_file import is_curvature, read_curvature
    from landscape.files.reports.curvature_run_file import is_curvature_run, read_curvature_run
    from landscape.files.store import is_surface, read_surface

    if is_surface(path):
        return read_surface(path)
    if is_curvature(path):
        return read_curvature(path)
    if is_curvature_run(path):
        return read_curvature_run(path)
    if read_start(path, len(HDF5_SIGNATURE)) == HDF5_SIGNATURE:
        from landscape.files.li2018 import load_original

        return load_original(path)
    from landscape.problem.checkpoints.checkpoint import load_checkpoint  # loads torch

    return load_checkpoint(path, key=options.checkpoint_key, trust=options.trust_checkpoint)


def _other_facts(path: str, found: Found) -> dict[str, Any]:
    from landscape.commands.reports.curvature_tables import curvature_file_facts
    from landscape.commands.shown.facts import surface_facts, tensors_facts
    from landscape.files.li2018 import OriginalDirections
    from landscape.surface.surface import Surface

    if isinstance(found, Surface):
        return surface_facts(found)
    if isinstance(found, dict):
        return curvature_file_facts(path, found)
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

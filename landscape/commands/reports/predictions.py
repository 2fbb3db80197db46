"""Compare populations of networks example by example, against the null that a few seeds alone would give.

Networks of one group differ by their seed alone. For each example: which share of each group gets it right, and how
far the groups differ beyond what the draw of their networks explains; accuracy of each class with correction for many
classes, agreement, calibration. A file of predictions can be given in the place of a group's checkpoints.

    landscape predictions --group A=a/*.pt --group B=b/*.pt --model nets.py:net --data test=digits:test -o pred.h5
    landscape predictions --group A=pred_a.h5 --group B=pred_b.h5 -o both.h5
    landscape plot pred.h5 -o pred.pdf
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from landscape.commands.options import pick_device
from landscape.commands.reports.network_options import (
    NamedNetwork,
    add_network_options,
    given_networks,
    load_data,
    load_networks,
)
from landscape.commands.reports.report_options import add_device_option, add_sample_options, made
from landscape.commands.words import say
from landscape.errors import UsageError

if TYPE_CHECKING:
    from landscape.surface.reports.populations import Populations


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_network_options(parser, positional=False, needs_model=False)
    group = parser.add_argument_group("measuring")
    add_sample_options(group, batch_size="samples in one forward pass")
    group.add_argument(
        "--outputs", default="logits", choices=("logits", "probabilities"), help="what the networks return"
    )
    group.add_argument("--half", action="store_true", help="store probabilities as float16")
    add_device_option(group)
    output = parser.add_argument_group("output")
    output.add_argument("-o", "--output", metavar="FILE", default="predictions.h5", help="the file")
    output.add_argument("--overwrite", action="store_true", help="start again a file that holds something else")
    output.add_argument("--dry-run", action="store_true", help="say how many networks and samples there are, and stop")


def run(options: argparse.Namespace) -> int:
    """Measure what is not known yet; print and store what was found."""
    from landscape.commands.printed import show
    from landscape.commands.reports.predictions_tables import predictions_facts, print_predictions
    from landscape.files.reports.predictions_file import PREDICTIONS
    from landscape.parallel.comm import current_comm

    given = given_networks(options)
    if not options.group:
        raise UsageError("populations are groups of networks: --group A=PATHS --group B=PATHS")
    comm = current_comm()
    if comm.rank == 0:
        PREDICTIONS.check_writable(options.output, overwrite=options.overwrite)
    files = [each for each in given if _is_file(each.path)]
    if files and len(files) < len(given):
        raise UsageError("groups are either files of predictions or checkpoints; measure the checkpoints first")
    found = _joined(options, files) if files else _measured(options, given)
    if found is not None and comm.rank == 0:
        show(print_predictions, predictions_facts(found))
        say(f"wrote {options.output}")
    return 0


def _is_file(path: str) -> bool:
    import os

    from landscape.files.reports.predictions_file import is_predictions

    return os.path.isfile(path) and is_predictions(path)


def _joined(options: argparse.Namespace, files: list[NamedNetwork]) -> Populations:
    """Put several files together."""
    from dataclasses import replace

    from landscape.files.reports.predictions_file import read_predictions, write_predictions
    from landscape.surface.reports.population_statistics import joined

    parts = [(each.group, read_predictions(each.path)) for each in files]
    found = replace(joined(parts), **made(), path=options.output)
    write_predictions(options.output, found)
    return found


def _measured(options: argparse.Namespace, given: list[NamedNetwork]) -> Populations | None:
    from dataclasses import replace

    from landscape.files.locks import Lock
    from landscape.files.reports.predictions_file import write_predictions
    from landscape.parallel.comm import current_comm
    from landscape.parallel.progress import progress_bar
    from landscape.similarity.class_probabilities import predictions

    if not options.model:
        raise UsageError("--model says what builds the networks: file.py:factory; needless for files of predictions")
    if not options.data:
        raise UsageError("--data says on what: --data test=digits:test, say; needless for files of predictions")
    data = load_data(options)
    if options.dry_run:
        say(_cost(options, given, data))
        return None
    pick_device(options.device)
    networks, about = load_networks(options, given)
    groups: dict[str, dict[str, Any]] = {}
    for each in given:
        groups.setdefault(each.group, {})[each.name] = networks[each.name]
    comm = current_comm()

    def stored(found: Populations) -> Populations:
        return replace(found, **made(), path=options.output)

    def write(found: Populations) -> None:
        write_predictions(options.output, stored(found))

    from contextlib import nullcontext

    with Lock(options.output) if comm.rank == 0 else nullcontext():
        known = comm.broadcast(_known(options, about) if comm.rank == 0 else None)
        with progress_bar("predictions", "networks") as progress:
            found = stored(
                predictions(
                    groups,
                    data,
                    samples=options.samples,
                    sample_seed=options.sample_seed,
                    batch_size=options.batch_size,
                    outputs=options.outputs,
                    half=options.half,
                    about=about,
                    known=known,
                    write=write,
                    progress=progress,
                )
            )
        if comm.rank == 0:
            write_predictions(options.output, found)
    return found


def _cost(options: argparse.Namespace, given: list[NamedNetwork], data: Any) -> str:
    from landscape.commands.words import number_of_bytes
    from landscape.problem.data.datasets import choose

    samples = sum(len(choose(each, options.samples, options.sample_seed)) for each in data.values())
    size = len(given) * samples * (2 if options.half else 4)
    groups = list(dict.fromkeys(each.group for each in given))
    return (
        f"networks {len(given)} in {len(groups)} groups ({', '.join(groups)})\n"
        f"samples  {samples:,} for each, one forward pass\n"
        f"file     {number_of_bytes(size)} a class"
    )


def _known(options: argparse.Namespace, about: dict[str, Any]) -> Populations | None:
    """Return what the file has of these networks already; SurfaceMismatch where it is of something else."""
    import os

    from landscape.errors import SurfaceMismatch
    from landscape.files.reports.predictions_file import read_predictions

    if options.overwrite or not os.path.exists(options.output):
        return None
    known = read_predictions(options.output)
    wanted = {name: getattr(options, name) for name in ("samples", "sample_seed", "outputs", "half")}
    differs = [f"{name} is {known.settings.get(name)}" for name in wanted if known.settings.get(name) != wanted[name]]
    for name, each in zip(known.names, known.about, strict=False):
        for what, words in (("sha256", "other weights"), ("model", "another model")):
            if name in about and about[name].get(what) != each.get(what):
                differs.append(f"{name} has {words}")
    if differs:
        raise SurfaceMismatch(
            f"{options.output} holds other predictions ({'; '.join(differs[:5])}); write to another file, or "
            "--overwrite it"
        )
    return known

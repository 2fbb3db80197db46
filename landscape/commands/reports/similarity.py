"""Compare what layers of networks compute: unbiased minibatch CKA of all pairs of layers, with errors.

Within each network and across networks, on the same samples. Beside it the share of the first principal component of
each layer, the block structure as a number, and whether the nearest layer of another network is the same layer. A run
that was cut short is finished by the same command, and more --passes are added to those that a file holds.

    landscape similarity a.pt b.pt --model nets.py:resnet20 --data test=digits:test -o sim.h5
    landscape similarity run/*.pt --model nets.py:resnet20 --data test=digits:test --layers blocks -o sim.h5
    landscape plot sim.h5 -o sim.pdf
"""

from __future__ import annotations

import argparse
import os
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from landscape.commands.options import default_output, pick_device
from landscape.commands.reports.network_options import add_network_options, given_networks, load_data, load_networks
from landscape.commands.reports.report_options import add_device_option, add_output_options, add_sample_options, made
from landscape.commands.words import number_of_bytes, say
from landscape.errors import UsageError

if TYPE_CHECKING:
    from landscape.files.reports.report_layout import Array
    from landscape.similarity.run_cost import SimilarityCost
    from landscape.similarity.unfinished import State
    from landscape.surface.reports.similarity import Similarity


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_network_options(parser)
    group = parser.add_argument_group("measuring")
    group.add_argument(
        "--layers",
        metavar="REGEX",
        help="layers in whose name this is found, or 'blocks': residual blocks, say (default: every module without "
        "others in it, and residual sums)",
    )
    add_sample_options(
        group, batch_size="samples of a batch at most, from 4 on", seed="of that permutation, and of batches"
    )
    group.add_argument(
        "--passes",
        type=int,
        default=4,
        metavar="P",
        help="over the samples, in another order each; to a FILE of fewer the others are added",
    )
    group.add_argument("--kernel", default="linear", choices=("linear", "rbf"), help="between samples")
    group.add_argument(
        "--rbf-width", type=float, default=1.0, metavar="W", help="of the RBF kernel, in median distances of samples"
    )
    group.add_argument(
        "--tokens",
        default="flatten",
        choices=("flatten", "mean"),
        help="of outputs (samples, tokens, features): all numbers, or their mean over tokens",
    )
    group.add_argument("--no-components", action="store_true", help="leave out principal components")
    group.add_argument(
        "--without-components", type=int, default=0, metavar="K", help="also CKA without each layer's first K of them"
    )
    group.add_argument(
        "--without-dominant",
        type=int,
        default=0,
        metavar="K",
        help="also CKA without the K samples that dominate each network",
    )
    group.add_argument(
        "--procrustes",
        type=int,
        nargs="?",
        const=4,
        default=0,
        metavar="BATCHES",
        help="also the Procrustes distance, on so many batches (4)",
    )
    add_device_option(group)
    output = add_output_options(parser, ".similarity.h5", named="the first checkpoint's")
    output.add_argument("--write-every", type=float, default=30.0, metavar="SECONDS", help="of FILE, while measuring")
    output.add_argument("--dry-run", action="store_true", help="say what it takes, time and memory, and stop")


def run(options: argparse.Namespace) -> int:
    """Measure what is not known yet; print and store what was found."""
    from landscape.commands.printed import show
    from landscape.commands.reports.similarity_tables import print_similarity, similarity_facts
    from landscape.files.locks import Lock
    from landscape.files.reports.similarity_file import LAYOUT, write_similarity
    from landscape.parallel.comm import current_comm
    from landscape.similarity.layer_similarity import measure_similarity, similarity_cost
    from landscape.similarity.similarity_settings import Settings

    given = given_networks(options)
    path = options.output or str(default_output(given[0].path, ".similarity.h5"))
    if not options.write_every >= 0:
        raise UsageError(f"--write-every is {options.write_every:g}, it has to be 0 or more seconds")
    comm = current_comm()
    if comm.rank == 0:
        LAYOUT.check_writable(path, overwrite=options.overwrite)
    names = "layers samples sample_seed batch_size passes kernel rbf_width tokens without_components without_dominant"
    settings = Settings(
        **{name: getattr(options, name) for name in names.split()},
        procrustes=options.procrustes,
        components=not options.no_components,
    )
    pick_device(options.device)
    networks, about = load_networks(options, given)
    data = load_data(options)
    groups = {each.name: each.group for each in given}
    if options.dry_run:
        known = None if options.overwrite else _known(path)
        cost = similarity_cost(networks, data, settings=settings, groups=groups, about=about, known=known)
        if comm.rank == 0:
            say(describe_similarity_cost(cost))
        return 0

    def stored(found: Similarity) -> Similarity:
        return replace(found, **made(), path=path)

    def write(found: Similarity, state: State | None) -> None:
        write_similarity(path, stored(found), state)

    with Lock(path) if comm.rank == 0 else nullcontext():
        known = _known(path) if comm.rank == 0 and not options.overwrite else None
        found = measure_similarity(
            networks,
            data,
            groups=groups,
            about=about,
            settings=settings,
            known=known,
            write=write,
            write_every=options.write_every,
            scratch=f"{path}.grams",
            progress=True,
        )
        was_complete = known is not None and known[0].complete and known[0].passes == found.passes
    if comm.rank == 0:
        found = replace(found, path=path)
        show(print_similarity, similarity_facts(found))
        say(f"{path} was complete" if was_complete else f"wrote {path}")
    return 0


def _known(path: str) -> tuple[Similarity, tuple[dict[str, object], dict[str, Array]]] | None:
    """Return what a file holds, and what is needed to go on with it, or to add passes."""
    from landscape.files.reports.similarity_file import read_similarity, read_state

    if not os.path.exists(path):
        return None
    return read_similarity(path), read_state(path) or ({}, {})


def describe_similarity_cost(cost: SimilarityCost) -> str:
    """Return a few lines: layers, samples, time, memory."""
    from landscape.parallel.progress import duration

    where = "on disk, as they do not fit into memory" if cost.on_disk else "in memory"
    each = f", in each of {cost.ranks} processes" if cost.ranks > 1 else ""
    parts = [
        f"{number_of_bytes(cost.matrix_bytes)} for sums over all pairs of layers",
        f"{number_of_bytes(cost.gram_bytes)} for Gram matrices of a batch ({where}{each})",
        f"{number_of_bytes(cost.feature_bytes)} for a layer's features",
    ]
    if cost.component_bytes:
        parts.append(f"{number_of_bytes(cost.component_bytes)} for components of a network")
    done = f", {cost.done:,} of them done" if cost.done else ""
    processes = "one process" if cost.ranks == 1 else f"{cost.ranks} processes"
    return "\n".join(
        [
            f"networks {cost.networks}, with {cost.layers:,} layers in all",
            f"samples  {cost.samples:,} in {cost.batches:,} batches over all passes{done}",
            f"time     about {duration(cost.seconds)} in {processes}",
            f"memory   {', '.join(parts)}, and one batch's activations",
        ]
    )

"""Compare what layers of networks compute: unbiased minibatch CKA of all pairs of layers, with errors.

Within each network and across networks, on the same samples. Beside it the share of the first principal component of
each layer, the block structure as a number, and whether the nearest layer of another network is the same layer.

    landscape similarity a.pt b.pt --model nets.py:resnet20 --data test=digits:test -o sim.h5
    landscape similarity run/*.pt --model nets.py:resnet20 --data test=digits:test --layers blocks -o sim.h5
    landscape plot sim.h5 -o sim.pdf
"""

from __future__ import annotations

import argparse

from landscape.commands.network_options import add_network_options, given_networks, load_data, load_networks
from landscape.commands.options import command_line, default_output, pick_device
from landscape.commands.words import say


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
    group.add_argument(
        "--samples", type=int, metavar="N", help="the first N of a seeded permutation of the data (default: all)"
    )
    group.add_argument("--sample-seed", type=int, default=0, metavar="S", help="of that permutation, and of batches")
    group.add_argument("--batch-size", type=int, default=256, metavar="N", help="samples of a batch at most, from 4 on")
    group.add_argument("--passes", type=int, default=4, metavar="P", help="over the samples, in another order each")
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
    group.add_argument("--device", metavar="DEVICE", help="cpu, cuda, cuda:1, mps (default: cuda where there is one)")
    output = parser.add_argument_group("output")
    output.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="the file (default: the first checkpoint's name with .similarity.h5, here)",
    )
    output.add_argument("--overwrite", action="store_true", help="replace FILE, whatever it is")


def run(options: argparse.Namespace) -> int:
    """Measure; print and store what was found."""
    from dataclasses import replace

    from landscape.commands.similarity_tables import similarity_facts
    from landscape.commands.tables import show
    from landscape.evaluation.provenance import now, software
    from landscape.files.similarity_file import LAYOUT, write_similarity
    from landscape.parallel.comm import current_comm
    from landscape.parallel.progress import progress_bars
    from landscape.similarity.layer_similarity import Settings, measure_similarity

    given = given_networks(options)
    path = options.output or str(default_output(given[0].path, ".similarity.h5"))
    comm = current_comm()
    if comm.rank == 0:
        LAYOUT.check_writable(path, overwrite=options.overwrite)
    names = "layers samples sample_seed batch_size passes kernel rbf_width tokens without_components"
    settings = Settings(
        **{name: getattr(options, name) for name in names.split()}, components=not options.no_components
    )
    pick_device(options.device)
    networks, about = load_networks(options, given)
    data = load_data(options)
    with progress_bars() as show_progress:
        found = measure_similarity(
            networks,
            data,
            groups={each.name: each.group for each in given},
            about=about,
            settings=settings,
            progress=lambda what, done, total: show_progress(
                what, "networks" if what == "components" else "batches", done, total
            ),
        )
    if comm.rank == 0:
        found = replace(found, software=software(), created=now(), command=command_line(), path=path)
        write_similarity(path, found)
        show(similarity_facts(found))
        say(f"wrote {path}")
    return 0

"""Say which spatial frequencies carry a network's decisions: accuracy on low-pass and high-pass images.

With --epsilon also of an attack: how much of it is left when only the low or the high frequencies of its changes are
applied. Cut-offs are radii in cycles along an image's shorter side; each accuracy has its 95 % interval.

    landscape frequencies net.pt --model nets.py:net --data test=digits:test
    landscape frequencies net.pt ... --epsilon 0.1 --clip 0:1 -o attacked.h5
    landscape plot net.frequencies.h5 -o frequencies.pdf
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from landscape.commands.options import (
    add_problem_options,
    default_output,
    list_of,
    load_problem,
    pick_device,
)
from landscape.commands.reports.report_options import (
    add_checkpoint,
    add_device_option,
    add_output_options,
    add_sample_options,
    made_of,
)
from landscape.commands.words import say
from landscape.errors import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_checkpoint(parser)
    add_problem_options(parser)
    group = parser.add_argument_group("filters")
    group.add_argument(
        "--cutoffs",
        metavar="R,...",
        type=list_of(float, "cut-offs are numbers"),
        help="radii, ascending (default: every whole one, from 0 to the greatest)",
    )
    group.add_argument(
        "--epsilon", type=float, metavar="E", help="also filter the changes that PGD makes at this strength"
    )
    group.add_argument("--norm", choices=("linf", "l2"), default="linf", help="in which that strength is measured")
    group.add_argument("--steps", type=int, default=20, metavar="N", help="steps of PGD")
    group.add_argument("--clip", metavar="LOW:HIGH", help="the inputs' valid range, which changed images do not leave")
    group.add_argument("--seed", type=int, default=0, metavar="S", help="of PGD's random start")
    group = parser.add_argument_group("measuring")
    add_sample_options(group, batch_size="images filtered at a time")
    add_device_option(group)
    add_output_options(parser, ".frequencies.h5")


def run(options: argparse.Namespace) -> int:
    """Filter; print and store what was found."""
    from landscape.commands.printed import show
    from landscape.commands.reports.frequencies_tables import frequencies_facts, print_frequencies
    from landscape.files.reports.frequencies_file import FREQUENCIES, write_frequencies
    from landscape.inputs.frequencies import frequencies
    from landscape.inputs.input_space import parse_clip
    from landscape.parallel.progress import progress_bar

    if options.metric:
        raise UsageError("--metric says nothing here: what is measured is the loss, and whether the answer is right")
    path = options.output or str(default_output(options.checkpoint, ".frequencies.h5"))
    FREQUENCIES.check_writable(path, overwrite=options.overwrite)
    model, checkpoint, data = load_problem(options)
    model.to(pick_device(options.device))
    names = ("cutoffs", "epsilon", "norm", "steps", "seed", "loss", "samples", "sample_seed", "batch_size")
    how = {name: getattr(options, name) for name in names}
    with progress_bar("frequencies", "batches") as progress:
        clip = None if options.clip is None else parse_clip(options.clip)
        found = frequencies(model, data, clip=clip, progress=progress, **how)
    found = replace(found, **made_of(found, options, model, checkpoint), path=path)
    write_frequencies(path, found)
    show(print_frequencies, frequencies_facts(found))
    say(f"wrote {path}")
    return 0

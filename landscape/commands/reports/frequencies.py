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
    command_line,
    default_output,
    describe_model_options,
    list_of,
    load_problem,
    pick_device,
)
from landscape.commands.words import say
from landscape.errors import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="the trained weights: .pt, .pth, .ckpt, .safetensors")
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
    group.add_argument(
        "--samples", type=int, metavar="N", help="the first N of a seeded permutation of the data (default: all)"
    )
    group.add_argument("--sample-seed", type=int, default=0, metavar="S", help="of that permutation")
    group.add_argument("--batch-size", type=int, default=256, metavar="N", help="images filtered at a time")
    group.add_argument("--device", metavar="DEVICE", help="cpu, cuda, cuda:1, mps (default: cuda where there is one)")
    output = parser.add_argument_group("output")
    output.add_argument(
        "-o", "--output", metavar="FILE", help="the file (default: the checkpoint's name with .frequencies.h5, here)"
    )
    output.add_argument("--overwrite", action="store_true", help="replace FILE, whatever it is")


def run(options: argparse.Namespace) -> int:
    """Filter; print and store what was found."""
    from landscape.commands.printed import show
    from landscape.commands.reports.frequencies_tables import frequencies_facts, print_frequencies
    from landscape.evaluation.provenance import now, software
    from landscape.files.frequencies_file import FREQUENCIES, write_frequencies
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
    found = replace(
        found,
        problem={**found.problem, "model": describe_model_options(options, model)},
        origin={"checkpoint": str(checkpoint.path), "sha256": checkpoint.sha256},
        software=software(),
        created=now(),
        command=command_line(),
        path=path,
    )
    write_frequencies(path, found)
    show(print_frequencies, frequencies_facts(found))
    say(f"wrote {path}")
    return 0

"""Options that several commands share, and what they stand for: a problem, directions, a way to measure."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landscape.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

    from landscape.checkpoint import Checkpoint
    from landscape.datasets import Data
    from landscape.directions import Plane


def add_problem_options(parser: argparse.ArgumentParser, *, needs_data: bool = True) -> None:
    """Add what is minimised: network, data, loss; a command that can do without data says so itself."""
    group = parser.add_argument_group("problem")
    group.add_argument(
        "--model",
        required=True,
        metavar="REF",
        help="what builds the network: file.py:factory or package.module:factory",
    )
    group.add_argument("--model-args", metavar="JSON", help="""keyword arguments for it, as in '{"width": 16}'""")
    group.add_argument(
        "--data",
        action="append",
        default=[],
        required=needs_data,
        metavar="[NAME=]REF",
        help="a data set, measured in the same pass as the others where given again: digits[:train|test], "
        "cifar10:ROOT[:train|test], npz:FILE, or file.py:factory, a function without arguments that returns a Dataset, "
        "a DataLoader or a tuple of tensors",
    )
    group.add_argument(
        "--loss",
        default="cross_entropy",
        metavar="LOSS",
        help="cross_entropy, mse, or file.py:function, a function (model, batch) that returns one value a sample",
    )
    group.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="REF",
        help="file.py:function, a function (output, batch) that returns one value a sample, beside a built-in loss",
    )
    group.add_argument(
        "--normalize",
        metavar="MEAN/STD",
        help="of built-in data, a number or one a channel: 0.49,0.48,0.45/0.25,0.24,0.26",
    )
    group.add_argument("--checkpoint-key", metavar="KEY", help="which of several networks in a checkpoint, as in ema")
    group.add_argument(
        "--trust-checkpoint",
        action="store_true",
        help="load a checkpoint that is a pickle with code in it: it can do anything",
    )


def add_measure_options(parser: argparse.ArgumentParser) -> None:
    """Add how it is measured."""
    group = parser.add_argument_group("measuring")
    group.add_argument(
        "--samples", type=int, metavar="N", help="of each data set, the first N of a seeded permutation (default: all)"
    )
    group.add_argument("--sample-seed", type=int, default=0, metavar="S", help="of that permutation")
    group.add_argument(
        "--standard-error",
        type=float,
        metavar="E",
        help="stop at a point when the standard error of its loss is below E of loss + eps, as in 0.02",
    )
    group.add_argument(
        "--tolerance",
        type=float,
        metavar="E",
        help="interpolate where that is right to E of loss + eps, as in 0.02; the error is measured and stored",
    )
    group.add_argument(
        "--batch-size", type=int, metavar="N", help="samples in one forward pass (default: the loader's, or 256)"
    )
    group.add_argument(
        "--batch-norm",
        default="frozen",
        choices=("frozen", "recompute"),
        help="recompute: estimate running statistics again at each point, on 1,024 samples of --batch-norm-data",
    )
    group.add_argument("--batch-norm-data", metavar="NAME", help="the data set for that (default: train, or the first)")
    group.add_argument(
        "--mode", default="eval", choices=("eval", "train"), help="train: dropout on, seeded for each point"
    )
    group.add_argument(
        "--weight-decay", type=float, default=0.0, metavar="W", help="add W/2 |theta|^2 as a metric of its own"
    )
    group.add_argument(
        "--precision",
        default="float32",
        choices=("float32", "bfloat16", "float16", "auto"),
        help="of the forward pass; auto: the fastest whose error at the origin and the corners is under the tolerance",
    )
    group.add_argument(
        "--precision-tolerance",
        type=float,
        default=0.01,
        metavar="E",
        help="for auto: largest error relative to loss + eps",
    )
    group.add_argument("--compile", action="store_true", help="run the network through torch.compile")
    group.add_argument(
        "--device",
        metavar="DEVICE",
        help="cpu, cuda, cuda:1, mps (default: cuda where there is one, else cpu); of several "
        "processes on a host, each takes the next cuda device",
    )


def add_direction_options(parser: argparse.ArgumentParser) -> None:
    """Add where the directions come from."""
    group = parser.add_argument_group("directions")
    group.add_argument(
        "--directions",
        default="random",
        metavar="SOURCE",
        help="random; a file that holds some (a surface of ours, a direction file of the 2018 tool); "
        "or B.pt or B.pt,C.pt: towards other checkpoints, where 1 on the axis is (B.pt:KEY: one of several in a file)",
    )
    group.add_argument(
        "--norm",
        choices=("filter", "layer", "weight", "dfilter", "dlayer", "model", "none"),
        help="how random directions are scaled against the weights (default: filter)",
    )
    group.add_argument(
        "--ignore",
        choices=("biasbn", "none"),
        help="biasbn: random directions leave biases and batch-norm scales where they are (default: biasbn)",
    )
    group.add_argument("--seed", type=int, help="of random directions (default: 0)")
    group.add_argument(
        "--orthogonal",
        action="store_true",
        help="make the second random direction orthogonal to the first, filter by filter",
    )
    group.add_argument(
        "--move",
        choices=("weights", "states"),
        help="states: also running means and variances (default: weights; towards checkpoints: states)",
    )
    group.add_argument("--include", metavar="REGEX", help="move only tensors in whose name this is found")
    group.add_argument("--exclude", metavar="REGEX", help="leave tensors in whose name this is found")


def load_problem(options: argparse.Namespace) -> tuple[nn.Module, Checkpoint, dict[str, Data]]:
    """Return the network at the checkpoint's weights on its device, the checkpoint, and the data sets."""
    from landscape.problem import load_model, parse_arguments
    from landscape.sources import parse_normalize, resolve_data

    arguments = parse_arguments(options.model_args)
    normalize = parse_normalize(options.normalize) if options.normalize else None
    model, checkpoint = load_model(
        options.model, arguments, options.checkpoint, key=options.checkpoint_key, trust=options.trust_checkpoint
    )
    # A command that has to have data has asked for them already.
    data = resolve_data(options.data, normalize=normalize) if options.data else {}
    return model, checkpoint, data


def pick_device(name: str | None) -> str:
    """Return the device asked for, or the best there is: of several, the one for this process."""
    import torch

    from landscape.comm import current_comm
    from landscape.devices import local_device

    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"--device {name!r} is no device; write cpu, cuda, cuda:1 or mps") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"--device {name}: torch sees no CUDA device here; leave the option out to use the CPU")
    return local_device(name, current_comm().local_rank, torch.cuda.device_count())


def load_plane(options: argparse.Namespace, model: nn.Module, dimensions: int) -> Plane:
    """Return the directions that the options name."""
    from landscape.directions import checkpoint_plane, random_plane, read_plane

    chosen: dict[str, Any] = {"include": options.include, "exclude": options.exclude}
    if options.directions == "random":
        return random_plane(
            model,
            seed=options.seed or 0,
            dimensions=dimensions,
            norm=options.norm or "filter",
            ignore=options.ignore or "biasbn",
            orthogonal=options.orthogonal,
            move=options.move or "weights",
            # Repetitions are drawn one after the other by whoever measures them.
            low_memory=options.low_memory or options.repeats > 1,
            **chosen,
        )
    sources = options.directions.split(",")
    if len(sources) == 1 and _holds_directions(sources[0]):
        _refuse(options, "a file", ("norm", "ignore", "seed", "move", "include", "exclude", "orthogonal"))
        plane = read_plane(model, sources[0], trust=options.trust_checkpoint)
        if len(plane) < dimensions:
            raise UsageError(f"{sources[0]} holds {len(plane)} direction(s), the grid has {dimensions} axes")
        return plane
    _refuse(options, "checkpoints", ("norm", "ignore", "seed", "orthogonal"))
    if len(sources) != dimensions:
        raise UsageError(
            f"--directions names {len(sources)} checkpoint(s) for {dimensions} axes: one for --x alone, two with --y"
        )
    return checkpoint_plane(
        model,
        sources,
        move=options.move,
        key=options.checkpoint_key,
        trust=options.trust_checkpoint,
        **chosen,
    )


def _holds_directions(path: str) -> bool:
    """Return whether a file is HDF5, as files of directions are and checkpoints are not."""
    from landscape.files import HDF5_SIGNATURE, read_start
    from landscape.store import is_surface

    if not os.path.exists(path):  # FILE:KEY, or an error that says what is missing when it is read
        return False
    return is_surface(path) or read_start(path, len(HDF5_SIGNATURE)) == HDF5_SIGNATURE


def _refuse(options: argparse.Namespace, what: str, names: Sequence[str]) -> None:
    for name in names:
        if getattr(options, name) not in (None, False):
            raise UsageError(f"--{name} does not go with directions from {what}, which are taken as they are")


def describe_model_options(options: argparse.Namespace, model: nn.Module) -> Mapping[str, Any]:
    """Return the model's entry in a file."""
    from landscape.problem import describe_model, parse_arguments

    return describe_model(model, options.model, parse_arguments(options.model_args))


def command_line() -> str:
    """Return the command as it was typed, to be repeated by a shell."""
    return shlex.join(["landscape", *sys.argv[1:]])


def default_output(checkpoint: str, suffix: str) -> Path:
    """Return a file in this folder named after the checkpoint."""
    return Path(Path(checkpoint).stem + suffix)

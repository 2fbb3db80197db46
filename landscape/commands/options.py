"""Options that several commands share, and what they stand for: a problem, directions, a way to measure."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landscape.errors import UsageError
from landscape.surface.recipes import IGNORES, NORMALIZATIONS

if TYPE_CHECKING:
    from torch import nn

    from landscape.directions.construct import Direction, Plane
    from landscape.problem.checkpoints.checkpoint import Checkpoint
    from landscape.problem.data.datasets import Data


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
        help="a data set, measured in the same pass as the others where given again: digits[:train|test] (pixels from "
        "0 to 1, as of the others that are built in), "
        "cifar10:ROOT[:train|test], npz:FILE, or file.py:factory, a function without arguments that returns a Dataset, "
        "a DataLoader or a tuple of tensors",
    )
    group.add_argument(
        "--loss",
        default="cross_entropy",
        metavar="LOSS",
        help="cross_entropy, mse, nll, bce_with_logits, l1, smooth_l1, huber, kl_div, ctc, output (the network's own); "
        "a criterion (output, target), as torch.nn:BCEWithLogitsLoss; or file.py:function, a criterion or a function "
        "(model, batch) that returns one value a sample",
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
    group.add_argument(
        "--anchors",
        type=_anchors,
        default="auto",
        metavar="auto|none|N",
        help="points at which all data are measured, so that values at the others are estimates for all data; auto: "
        "where --samples leaves data out and they lower the error more than further samples would (default)",
    )
    group.add_argument("--sample-seed", type=int, default=0, metavar="S", help="of that permutation")
    group.add_argument(
        "--error",
        type=float,
        metavar="E",
        help="one budget: precision, samples, anchors and interpolation such that losses are off by at most E of "
        "loss + eps in all, as in 0.02, at 95%% of points; it chooses the precision, unless one is named",
    )
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
        "--noise",
        choices=("common", "fresh"),
        help="of a network or loss that draws random numbers: the same ones at each point, or others (default: fresh "
        "with --mode train; with eval it is refused)",
    )
    group.add_argument(
        "--weight-decay", type=float, default=0.0, metavar="W", help="add W/2 |theta|^2 as a metric of its own"
    )
    group.add_argument(
        "--precision",
        choices=("float32", "bfloat16", "float16", "auto"),
        help="of the forward pass; auto: the fastest whose error at the origin and the corners is under the tolerance "
        "(default: float32; with --error auto)",
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


def _anchors(text: str) -> int | str:
    if text in ("auto", "none"):
        return text
    if text.isascii() and text.isdecimal() and int(text):
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor none nor a number of points, as 9")


def add_direction_options(parser: argparse.ArgumentParser) -> None:
    """Add where the directions come from."""
    group = parser.add_argument_group("directions")
    group.add_argument(
        "--directions",
        default="random",
        metavar="SOURCE",
        help="random; a file that holds some (a surface of ours, a direction file of the 2018 tool); "
        "B.pt or B.pt,C.pt: towards other checkpoints, where 1 on the axis is (B.pt:KEY: one of several in a file); "
        "or what the loss itself points out: hessian, hessian:0,-1 (eigenvectors; 0: greatest eigenvalue, -1: least), "
        "sharpest, gradient, gradient,random; as long as filter-normalised random ones (evaluate alone)",
    )
    add_axes_option(group)
    group.add_argument(
        "--norm",
        choices=tuple(NORMALIZATIONS),
        help="how random directions are scaled against the weights (default: filter)",
    )
    group.add_argument(
        "--ignore",
        choices=IGNORES,
        help="biasbn: random directions leave biases and batch-norm scales where they are (default: biasbn)",
    )
    group.add_argument("--seed", type=int, help="of random directions (default: 0)")
    group.add_argument(
        "--orthogonal",
        action="store_true",
        help="make the second random direction orthogonal to the first, filter by filter",
    )
    add_subspace_options(group)
    for axis in "xy":
        group.add_argument(f"--{axis}-include", metavar="REGEX", help=f"--include for the direction of {axis} alone")
    group.add_argument(
        "--keep-zeros", action="store_true", help="random directions leave weights that are 0 where they are (pruned)"
    )


def add_axes_option(group: Any) -> None:
    """Add how a plane through networks is drawn."""
    group.add_argument(
        "--axes",
        choices=("towards", "orthonormal"),
        help="of a plane through three checkpoints. towards: 1 on each axis is a checkpoint (default); orthonormal: "
        "at right angles and of length 1, so that coordinates are distances",
    )


def add_subspace_options(group: Any) -> None:
    """Add which tensors move."""
    group.add_argument(
        "--move",
        choices=("weights", "states"),
        help="states: also running means and variances (default: weights; towards checkpoints: states)",
    )
    group.add_argument("--include", metavar="REGEX", help="move only tensors in whose name this is found")
    group.add_argument("--exclude", metavar="REGEX", help="leave tensors in whose name this is found")


def add_writing_options(group: Any, *, dry_run: str) -> None:
    """Add how the file is written, and ``--dry-run`` with its help."""
    group.add_argument("--overwrite", action="store_true", help="start again a file that holds something else")
    group.add_argument(
        "--write-every", type=float, default=30.0, metavar="SECONDS", help="between two writes of the file"
    )
    group.add_argument("--dry-run", action="store_true", help=dry_run)


def measure_settings(options: argparse.Namespace, model: nn.Module) -> dict[str, Any]:
    """Return the arguments of `landscape.evaluate` that every command which measures has options for."""
    names = (
        "x y loss samples sample_seed standard_error tolerance batch_size batch_norm batch_norm_data mode noise "
        "weight_decay precision precision_tolerance compile overwrite write_every checkpoint anchors error"
    )
    return {
        **{name: getattr(options, name) for name in names.split()},
        "metrics": options.metric,
        "description": describe_model_options(options, model),
        "command": command_line(),
    }


def load_problem(options: argparse.Namespace) -> tuple[nn.Module, Checkpoint, dict[str, Data]]:
    """Return the network at the checkpoint's weights on its device, the checkpoint, and the data sets."""
    from landscape.problem.data.sources import parse_normalize, resolve_data
    from landscape.problem.model import load_model, parse_arguments

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

    from landscape.engine.devices import local_device, why_unusable
    from landscape.parallel.comm import current_comm

    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"--device {name!r} is no device; write cpu, cuda, cuda:1 or mps") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"--device {name}: torch sees no CUDA device here; leave the option out to use the CPU")
    found = local_device(name, current_comm().local_rank, torch.cuda.device_count())
    if reason := why_unusable(found):
        raise UsageError(f"--device {name}: torch cannot compute on it here ({reason}); write cpu, cuda, cuda:1 or mps")
    return found


def load_plane(options: argparse.Namespace, model: nn.Module, dimensions: int, data: Any = None) -> Plane:
    """Return the directions that the options name; those that are measured are so on data, where there are some."""
    from landscape.curvature.directions import axis_sources, is_measured, require_one_each
    from landscape.directions.construct import Plane
    from landscape.directions.direction_files import read_plane

    if _holds_directions(options.directions):
        names = ("norm", "ignore", "seed", "move", "include", "exclude", "orthogonal")
        _refuse(options, "a file", (*names, "x_include", "y_include", "keep_zeros", "axes"))
        plane = read_plane(model, options.directions, trust=options.trust_checkpoint)
        if len(plane) < dimensions:
            raise UsageError(f"{options.directions} holds {len(plane)} direction(s), the grid has {dimensions} axes")
        return plane
    if options.axes == "orthonormal":
        return _orthonormal_plane(options, model, options.directions.split(","))
    sources = axis_sources(options.directions, dimensions)
    includes = [options.x_include or options.include, options.y_include or options.include]
    if options.y_include and dimensions < 2:
        raise UsageError("--y-include is for the second of two axes; give --y as well")
    if set(sources) == {"random"} and len(set(includes)) == 1:
        return _random_plane(options, model, dimensions, includes[0])
    measured = [each for each in sources if is_measured(each)]
    if measured:
        moved = ("move",) if options.move == "states" else ()
        _refuse(options, "curvature", ("orthogonal", "keep_zeros", "x_include", "y_include", *moved))
    if "random" not in sources:
        ignored = () if measured else ("ignore",)
        names = ("norm", "seed", "orthogonal", "keep_zeros", *ignored)
        _refuse(options, "curvature" if measured else "checkpoints", names)
    elif options.orthogonal:
        raise UsageError("--orthogonal is for random directions over the same tensors")
    require_one_each(sources, dimensions)
    made = iter(_measured_directions(options, model, measured, data) if measured and data is not None else ())
    directions = []
    for axis, source in enumerate(sources):
        include = includes[axis] if axis < 2 else options.include
        if source == "random" or (source in measured and data is None):
            directions.append(_random_plane(options, model, axis + 1, include).directions[axis])
        elif source in measured:
            directions.append(next(made))
        else:
            directions += _checkpoint_plane(options, model, source, include).directions
    return Plane.of(directions)


def _measured_directions(
    options: argparse.Namespace, model: nn.Module, sources: Sequence[str], data: Any
) -> list[Direction]:
    from landscape.curvature.directions import DirectionSettings, curvature_directions
    from landscape.parallel.progress import progress_bar
    from landscape.problem.losses.losses import resolve_loss

    names = ("samples", "sample_seed", "batch_size", "include", "exclude")
    how = DirectionSettings(
        loss=resolve_loss(options.loss, options.metric),
        ignore=options.ignore or "none",
        **{name: getattr(options, name) for name in names},
    )
    path = options.output or default_output(options.checkpoint, ".h5")
    with progress_bar(f"directions {', '.join(sources)}", "products at most") as progress:
        return curvature_directions(
            model, data, sources, how, path=None if options.overwrite else path, progress=progress
        )


def _orthonormal_plane(options: argparse.Namespace, model: nn.Module, sources: Sequence[str]) -> Plane:
    from landscape.directions.orthonormal import orthonormal_plane

    if len(sources) != 2 or "random" in sources or options.z:
        raise UsageError("--axes orthonormal is for the plane through three networks: --directions B.pt,C.pt")
    names = ("norm", "ignore", "seed", "orthogonal", "keep_zeros", "x_include", "y_include")
    _refuse(options, "checkpoints", names)
    chosen = {name: getattr(options, name) for name in ("move", "include", "exclude")}
    reading = {"key": options.checkpoint_key, "trust": options.trust_checkpoint}
    return orthonormal_plane(model, sources, **chosen, **reading)


def _random_plane(options: argparse.Namespace, model: nn.Module, dimensions: int, include: str | None) -> Plane:
    from landscape.directions.construct import random_plane

    return random_plane(
        model,
        seed=options.seed or 0,
        dimensions=dimensions,
        norm=options.norm or "filter",
        ignore=options.ignore or "biasbn",
        orthogonal=options.orthogonal,
        move=options.move or "weights",
        include=include,
        exclude=options.exclude,
        keep_zeros=options.keep_zeros,
        # Repetitions are drawn one after the other by whoever measures them.
        low_memory=options.low_memory or options.repeats > 1,
    )


def _checkpoint_plane(options: argparse.Namespace, model: nn.Module, source: str, include: str | None) -> Plane:
    from landscape.directions.construct import checkpoint_plane

    chosen = {"move": options.move, "include": include, "exclude": options.exclude}
    return checkpoint_plane(model, [source], key=options.checkpoint_key, trust=options.trust_checkpoint, **chosen)


def _holds_directions(path: str) -> bool:
    """Return whether a file is HDF5, as files of directions are and checkpoints are not."""
    from landscape.files.atomic import HDF5_SIGNATURE, read_start
    from landscape.files.store import is_surface

    if not os.path.isfile(path):  # FILE:KEY, a folder, or an error that says what is missing when it is read
        return False
    return is_surface(path) or read_start(path, len(HDF5_SIGNATURE)) == HDF5_SIGNATURE


def _refuse(options: argparse.Namespace, what: str, names: Sequence[str]) -> None:
    for name in names:
        # "none" agrees with that.
        if getattr(options, name) not in (None, False, "none" if name in ("norm", "ignore") else None):
            raise UsageError(
                f"--{name.replace('_', '-')} does not go with directions from {what}, which are taken as they are"
            )


def describe_model_options(options: argparse.Namespace, model: nn.Module) -> Mapping[str, Any]:
    """Return the model's entry in a file."""
    from landscape.problem.model import describe_model, parse_arguments

    return describe_model(model, options.model, parse_arguments(options.model_args))


def command_line() -> str:
    """Return the command as it was typed, to be repeated by a shell."""
    return shlex.join(["landscape", *sys.argv[1:]])


def default_output(checkpoint: str, suffix: str) -> Path:
    """Return a file in this folder named after the checkpoint."""
    return Path(Path(checkpoint).stem + suffix)


def list_of(kind: Callable[[str], Any], what: str) -> Callable[[str], list[Any]]:
    """Return what reads numbers with commas between them; ``what`` names them where they are none."""

    def read(text: str) -> list[Any]:
        try:
            return [kind(part) for part in text.split(",")]
        except ValueError:
            raise argparse.ArgumentTypeError(f"{what} with commas between them, not {text!r}") from None

    return read

"""Options of ``landscape evaluate --space input``: the loss over the input instead of the weights."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from landscape.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

    from landscape.directions.construct import Plane
    from landscape.problem.data.datasets import Data

# What has a meaning for weights only, by name, and what it is where it was not given.
_WEIGHTS_ONLY = {
    "norm": None,
    "ignore": None,
    "move": None,
    "include": None,
    "exclude": None,
    "x_include": None,
    "y_include": None,
    "axes": None,
    "orthogonal": False,
    "keep_zeros": False,
    "low_memory": False,
    "save_directions": False,
    "curvature": False,
    "repeats": 1,
    "weight_decay": 0.0,
    "batch_norm": "frozen",
    "mode": "eval",
}
_INPUT_ONLY = ("sample", "input_norm", "clip", "epsilon")


def add_input_options(parser: argparse.ArgumentParser) -> None:
    """Add what is moved instead of weights."""
    group = parser.add_argument_group("input space")
    group.add_argument(
        "--space",
        choices=("weights", "input"),
        default="weights",
        help="input: move examples, not weights, along --directions of random, gradient, sign (FGSM), pgd, universal; "
        "coefficients are distances in units of the data, before --normalize (default: weights)",
    )
    group.add_argument("--sample", type=int, metavar="K", help="around the example of this number alone")
    group.add_argument(
        "--input-norm", choices=("linf", "l2"), help="the norm in which a direction has length 1 (default: linf)"
    )
    group.add_argument("--clip", metavar="LOW:HIGH", help="the inputs' valid range; what leaves it is clipped")
    group.add_argument("--epsilon", type=float, metavar="E", help="radius of the ball that pgd searches")


def require_weight_space(options: argparse.Namespace) -> None:
    """Refuse what has a meaning in input space only."""
    for name in _INPUT_ONLY:
        if getattr(options, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')} is for the loss over the input: add --space input")


def load_input_problem(
    options: argparse.Namespace, model: nn.Module, data: Mapping[str, Data], dimensions: int
) -> tuple[nn.Module, dict[str, Data], Plane, dict[str, Any]]:
    """Return network, data, directions and settings that stand for the loss over the input."""
    from landscape.inputs.input_space import input_problem, parse_clip

    for name, usual in _WEIGHTS_ONLY.items():
        if getattr(options, name) != usual:
            raise UsageError(f"--{name.replace('_', '-')} is about weights, and with --space input none moves")
    axes = options.directions.split(",")
    axes = axes * dimensions if axes == ["random"] else axes
    if len(axes) != dimensions:
        raise UsageError(f"--directions names {len(axes)} direction(s) for {dimensions} axes: one for each")
    problem = input_problem(
        model,
        data,
        axes=axes,
        loss=options.loss,
        metrics=options.metric,
        sample=options.sample,
        samples=options.samples,
        sample_seed=options.sample_seed,
        norm=options.input_norm or "linf",
        epsilon=options.epsilon,
        clip=parse_clip(options.clip) if options.clip is not None else None,
        seed=options.seed or 0,
    )
    # The samples are chosen already.
    return problem.model, dict(problem.data), problem.plane, {**problem.how, "samples": None}

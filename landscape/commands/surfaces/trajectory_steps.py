"""A trajectory's steps on their own: its plane alone, or a run put onto a surface that is there."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from landscape.commands.options import command_line, describe_model_options
from landscape.commands.words import say
from landscape.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

    from landscape.directions.construct import Plane
    from landscape.trajectory.runs import TrainingRun


def require_fitting(options: argparse.Namespace) -> None:
    """Refuse what does not go together with ``--plane-only`` or ``--onto``, and ask for what is missing without."""
    alone = "--plane-only" if options.plane_only else "--onto" if options.onto else ""
    if options.plane_only and options.onto:
        raise UsageError("--plane-only makes a plane, --onto takes a surface's; give one of them")
    if not options.output and not options.onto:
        raise UsageError("-o FILE is needed: where to write")
    if not alone and not options.data:
        raise UsageError("--data REF is needed to measure the loss; without measuring: --plane-only, or --onto SURFACE")
    if alone and options.data:
        raise UsageError(f"--data does not go with {alone}, which measures nothing; leave it out")
    if alone and options.dry_run:
        raise UsageError(f"--dry-run does not go with {alone}, which costs next to nothing; leave it out")
    if options.onto:
        given = {name: getattr(options, name) for name in ("line", "ignore", "move", "include", "exclude", "x", "y")}
        given |= {
            "at": options.at,
            "plane": None if options.plane == "pca" else options.plane,
            "points": options.points,
        }
        for name, value in given.items():
            if value is not None:
                raise UsageError(f"--{name} does not go with --onto, where the surface says it; leave it out")


def write_plane_alone(options: argparse.Namespace, model: nn.Module, runs: list[TrainingRun], plane: Plane) -> None:
    """Write the plane with the runs on it, and say how to measure it."""
    from landscape.commands.surfaces.summary import describe_paths
    from landscape.trajectory.steps import write_plane

    chosen: dict[str, Any] = {name: getattr(options, name) for name in ("x", "y", "points", "margin", "overwrite")}
    surface = write_plane(
        options.output,
        model,
        runs,
        plane,
        **chosen,
        checkpoint=options.checkpoint,
        description=describe_model_options(options, model),
        command=command_line(),
    )
    say(describe_paths(surface))
    say(f"wrote {options.output}, the plane without losses; to measure them around the runs:")
    ranges = " ".join(
        f"--{letter}={axis.values[0]:g}:{axis.values[-1]:g}:{len(axis)}"
        for letter, axis in zip("xy", surface.axes, strict=False)
    )
    say(f"landscape evaluate {options.checkpoint} --directions {options.output} {ranges} --model ... --data ...")


def put_onto(options: argparse.Namespace, model: nn.Module, runs: list[TrainingRun]) -> None:
    """Put the runs onto a surface, and say where they lie."""
    import dataclasses

    from landscape.commands.surfaces.summary import describe_paths
    from landscape.trajectory.steps import put_on_surface

    surface = put_on_surface(
        options.onto, model, runs, output=options.output, overwrite=options.overwrite, trust=options.trust_checkpoint
    )
    new = {run.name: surface.trajectories[run.name] for run in runs}
    say(describe_paths(dataclasses.replace(surface, trajectories=new)))
    say(f"wrote {surface.path}, with the runs {', '.join(surface.trajectories)}")

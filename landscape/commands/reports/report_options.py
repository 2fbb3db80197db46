"""What the commands that make reports share: options of samples, device and file, and what a report says of itself."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from landscape.commands.options import command_line, describe_model_options

if TYPE_CHECKING:
    from torch import nn

    from landscape.problem.checkpoints.checkpoint import Checkpoint


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add the one network that a report is of."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="the trained weights: .pt, .pth, .ckpt, .safetensors")


def add_sample_options(group: Any, *, batch_size: str, seed: str = "of that permutation") -> None:
    """Add which samples, and how many at a time, with the help of two of the options."""
    group.add_argument(
        "--samples", type=int, metavar="N", help="the first N of a seeded permutation of the data (default: all)"
    )
    group.add_argument("--sample-seed", type=int, default=0, metavar="S", help=seed)
    group.add_argument("--batch-size", type=int, default=256, metavar="N", help=batch_size)


def add_device_option(group: Any) -> None:
    """Add where it is computed."""
    group.add_argument("--device", metavar="DEVICE", help="cpu, cuda, cuda:1, mps (default: cuda where there is one)")


def add_output_options(parser: argparse.ArgumentParser, suffix: str, *, named: str = "the checkpoint's") -> Any:
    """Add the file, by default named after ``named`` with a suffix; return the group."""
    group = parser.add_argument_group("output")
    of = f"the file (default: {named} name with {suffix}, here)"
    group.add_argument("-o", "--output", metavar="FILE", help=of)
    group.add_argument("--overwrite", action="store_true", help="replace FILE, whatever it is")
    return group


def made() -> dict[str, Any]:
    """Return with what, when and by which command a report was made."""
    from landscape.evaluation.provenance import now, software

    return {"software": software(), "created": now(), "command": command_line()}


def made_of(found: Any, options: argparse.Namespace, model: nn.Module, checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the same and of which network, as fields of a report of one."""
    return {
        "problem": {**found.problem, "model": describe_model_options(options, model)},
        "origin": {"checkpoint": str(checkpoint.path), "sha256": checkpoint.sha256},
        **made(),
    }

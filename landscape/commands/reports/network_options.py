"""Several networks on a command line: checkpoints, groups of them, and how each one is built."""

from __future__ import annotations

import argparse
import glob
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from landscape.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    from torch import nn

    from landscape.problem.data.datasets import Data

_NAMED = re.compile(r"([A-Za-z0-9_.-]+)=(.+)", re.DOTALL)


@dataclass(frozen=True)
class NamedNetwork:
    """One network that a command line names."""

    name: str
    path: str
    group: str  # "" without groups


def add_network_options(parser: argparse.ArgumentParser, *, positional: bool = True, needs_model: bool = True) -> None:
    """Add checkpoints, groups, how networks are built, and the data."""
    if positional:
        parser.add_argument(
            "checkpoints", nargs="*", metavar="CHECKPOINT", help="trained weights: files, patterns or folders of them"
        )
    group = parser.add_argument_group("problem")
    group.add_argument(
        "--group",
        action="append",
        default=[],
        metavar="NAME=PATHS",
        help="checkpoints that belong together, as narrow=run_n/*.pt, or with commas between them; repeat it",
    )
    group.add_argument(
        "--model",
        action="append",
        default=[],
        required=needs_model,
        metavar="[NAME=]REF",
        help="what builds the networks, file.py:factory or package.module:factory; of one group, NAME=REF",
    )
    group.add_argument(
        "--model-args",
        action="append",
        default=[],
        metavar="[NAME=]JSON",
        help="""keyword arguments for it, as in '{"width": 16}', or wide='{"width": 64}' for one group""",
    )
    group.add_argument(
        "--data",
        action="append",
        default=[],
        required=needs_model,
        metavar="[NAME=]REF",
        help="the data set all networks see: digits[:train|test], cifar10:ROOT[:train|test], npz:FILE or "
        "file.py:factory",
    )
    group.add_argument("--normalize", metavar="MEAN/STD", help="of built-in data, a number or one a channel")
    group.add_argument("--checkpoint-key", metavar="KEY", help="which of several networks in a checkpoint, as in ema")
    group.add_argument(
        "--trust-checkpoint", action="store_true", help="load checkpoints that are pickles with code in them"
    )


def given_networks(options: argparse.Namespace) -> list[NamedNetwork]:
    """Return the networks that are named, each with a name of its own.

    Raises
    ------
    UsageError
        There is none, or a pattern matches nothing.
    """
    places: list[tuple[str, str]] = [
        ("", path) for text in getattr(options, "checkpoints", []) for path in _files(text)
    ]
    for text in options.group:
        match = _NAMED.fullmatch(text)
        if not match:
            raise UsageError(f"--group {text!r} is not NAME=PATHS, as in narrow=run_n/*.pt")
        places += [(match[1], path) for part in match[2].split(",") for path in _files(part)]
    if not places:
        raise UsageError("there are no networks: name checkpoints, or groups of them (--group NAME=PATHS)")
    if options.group and any(not group for group, _ in places):
        raise UsageError("checkpoints beside --group belong to no group: put them into one")
    names = _short_names([path for _, path in places])
    found = [NamedNetwork(name, path, group) for name, (group, path) in zip(names, places, strict=True)]
    return found


def _files(text: str) -> list[str]:
    """Return the checkpoints that a word names."""
    from landscape.trajectory.runs import checkpoints_at, network_folder
    from landscape.trajectory.step_names import natural_order

    path = os.path.expanduser(text)
    if os.path.isdir(path) or (glob.has_magic(path) and not os.path.exists(path)):
        try:
            return sorted((str(network_folder(each)) for each in checkpoints_at(path)), key=natural_order)
        except CheckpointError as error:
            raise UsageError(str(error)) from error
    return [path]


def _short_names(paths: Sequence[str]) -> list[str]:
    """Return names without suffix, with as many folders before them as tell them apart."""
    parts = [os.path.splitext(os.path.abspath(path))[0].split(os.sep) for path in paths]
    deepest = max(map(len, parts))
    for depth in range(1, deepest + 1):
        names = ["/".join(each[-depth:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    raise UsageError(f"{next(path for path in paths if paths.count(path) > 1)} is named twice")


def by_group(texts: Sequence[str], groups: Sequence[str], option: str) -> Mapping[str, str]:
    """Return an option's text for each group: its own, else the one that names none.

    Raises
    ------
    UsageError
        It names a group that is not there, or one twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        match = _NAMED.fullmatch(text)
        name, rest = (match[1], match[2]) if match and (match[1] in groups or not text.startswith("{")) else ("", text)
        if name and name not in groups:
            raise UsageError(f"{option} {text!r} is of group {name!r}; there are {', '.join(groups) or 'no groups'}")
        if name in found:
            raise UsageError(f"{option} is given twice for {name or 'all networks'}; for one group write NAME=...")
        found[name] = rest
    return {group: found.get(group, found.get("", "")) for group in groups}


def load_networks(
    options: argparse.Namespace, given: Sequence[NamedNetwork]
) -> tuple[dict[str, nn.Module], dict[str, Any]]:
    """Return networks by name, in eval mode on the device asked for, and what is stored of each."""
    from landscape.commands.options import pick_device
    from landscape.problem.model import describe_model, load_model, parse_arguments

    groups = list(dict.fromkeys(each.group for each in given))
    references = by_group(options.model, groups, "--model")
    arguments = {
        name: parse_arguments(text) for name, text in by_group(options.model_args, groups, "--model-args").items()
    }
    device = pick_device(options.device)
    networks, about = {}, {}
    for each in given:
        if not references[each.group]:
            raise UsageError(f"--model says not what builds group {each.group}: write --model {each.group}=REF")
        model, checkpoint = load_model(
            references[each.group],
            arguments[each.group],
            each.path,
            key=options.checkpoint_key,
            trust=options.trust_checkpoint,
        )
        networks[each.name] = model.to(device)
        described = describe_model(model, references[each.group], arguments[each.group])
        about[each.name] = {"checkpoint": str(checkpoint.path), "sha256": checkpoint.sha256, "model": described}
    return networks, about


def load_data(options: argparse.Namespace) -> dict[str, Data]:
    """Return the data sets that the options name."""
    from landscape.problem.data.sources import parse_normalize, resolve_data

    normalize = parse_normalize(options.normalize) if options.normalize else None
    return resolve_data(options.data, normalize=normalize)

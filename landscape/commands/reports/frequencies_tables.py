"""What `landscape frequencies` and `landscape info` say of filtered inputs: as plain values, and as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from landscape.commands.printed import print_heading, print_pairs, print_table
from landscape.commands.reports.plain_facts import about, made, numbers
from landscape.commands.reports.robustness_tables import share_words
from landscape.surface.reports.frequencies import CHANGES, INPUTS, Frequencies
from landscape.surface.reports.robustness import wilson


def frequencies_facts(found: Frequencies) -> dict[str, Any]:
    """Return what there is to say of a result, as JSON; numbers that do not exist are None."""
    kinds = {}
    for kind in found.kinds:
        loss, error = found.mean_loss(kind)
        kinds[kind] = {
            "accuracy": found.accuracy(kind).tolist(),
            "interval": found.interval(kind).tolist(),
            "loss": numbers(loss),
            "loss_stderr": numbers(error),
            "half_way": found.half_way(kind),
        }
    attacked = found.kinds != INPUTS
    return {
        "path": found.path,
        "kind": "frequencies",
        "frequencies": {
            "data": found.data,
            "samples": found.samples,
            "cutoffs": found.cutoffs.tolist(),
            "highest": found.highest,
            "clean": _share(int(found.clean.sum()), found.samples),
            "attacked": _share(int(found.attacked.sum()), found.samples) if attacked else None,
            "filtered": kinds,
            "energy": found.energy.tolist(),
            "change_energy": numbers(found.change_energy),
        },
        **about(found),
    }


def _share(right: int, samples: int) -> dict[str, Any]:
    return {"accuracy": right / samples, "interval": list(wilson(right, samples))}


def print_frequencies(console: Console, facts: Mapping[str, Any]) -> None:
    """Print what there is to say."""
    said = facts["frequencies"]
    print_heading(console, f"{said['data']} filtered: {said['samples']:,} images, frequencies to {said['highest']:.3g}")
    pairs = [
        made(facts),
        ("checkpoint", str(facts["origin"].get("checkpoint", ""))),
        ("unfiltered", share_words(said["clean"]["accuracy"], said["clean"]["interval"])),
    ]
    if said["attacked"]:
        words = share_words(said["attacked"]["accuracy"], said["attacked"]["interval"])
        pairs.append(("whole change", f"{words}, PGD at {facts['settings'].get('epsilon')}"))
    print_pairs(console, pairs)
    kinds = said["filtered"]
    print_table(
        console,
        ["cut-off", "energy", *kinds],
        [
            [
                f"{cutoff:.4g}",
                f"{100 * said['energy'][k]:.1f} %",
                *(f"{100 * each['accuracy'][k]:.1f} %" for each in kinds.values()),
            ]
            for k, cutoff in enumerate(said["cutoffs"])
        ],
    )
    widest = max(high - low for each in kinds.values() for low, high in each["interval"])
    print_pairs(
        console,
        [("columns", "energy within the cut-off; accuracy on low and on high frequencies of images, and of the change")]
        + [("intervals", f"of 95 %, {50 * widest:.1f} points to either side at most (--json has each)")]
        + [(f"half way, {kind}", _half_way(each["half_way"])) for kind, each in kinds.items() if kind not in CHANGES],
    )


def _half_way(cutoff: float | None) -> str:
    return "nowhere: accuracy does not change beyond its intervals" if cutoff is None else f"at {cutoff:.3g} cycles"

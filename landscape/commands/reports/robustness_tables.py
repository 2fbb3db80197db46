"""What `landscape robustness` and `landscape info` say of attacks: as plain values, and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from landscape.commands.printed import print_heading, print_pairs, print_table
from landscape.commands.reports.plain_facts import about, made
from landscape.surface.reports.robustness import GRADIENT_ATTACKS, Robustness

DISTANCES = {"linf": "L∞", "l2": "L2"}
# The accuracy under all attacks that follow gradients together.
ALL = "all"


def robustness_facts(found: Robustness) -> dict[str, Any]:
    """Return what there is to say of a result, as JSON."""
    accuracies = {
        name: {
            "accuracy": found.accuracy(attack).tolist(),
            "interval": found.interval(attack).tolist(),
        }
        for name, attack in ((ALL, None), *((each, each) for each in found.attacks))
    }
    return {
        "path": found.path,
        "kind": "robustness",
        "robustness": {
            "data": found.data,
            "samples": found.samples,
            "norm": found.norm,
            "epsilons": found.epsilons.tolist(),
            "clean": {"accuracy": float(found.clean.mean()), "interval": list(found.clean_interval)},
            "attacks": accuracies,
            "loss_along_steps": found.course.tolist(),
            "checks": [asdict(check) for check in found.checks()],
            "verdict": found.verdict,
        },
        **about(found),
    }


def _starts(settings: Mapping[str, Any]) -> str:
    number = settings.get("restarts")
    return f"{number} start{'' if number == 1 else 's'}"


def print_robustness(console: Console, facts: Mapping[str, Any]) -> None:
    """Print what there is to say."""
    said, settings = facts["robustness"], facts["settings"]
    distance = DISTANCES.get(said["norm"], said["norm"])
    print_heading(console, f"{said['data']} under attack: {said['samples']:,} samples, {distance} distance")
    clean = said["clean"]
    print_pairs(
        console,
        [
            made(facts),
            ("checkpoint", str(facts["origin"].get("checkpoint", ""))),
            ("PGD", f"{settings.get('steps')} steps, {_starts(settings)}"),
            ("no attack", share_words(clean["accuracy"], clean["interval"])),
        ],
    )
    names = [name for name in said["attacks"] if name != ALL]
    every = said["attacks"][ALL]
    print_table(
        console,
        ["strength", "FGSM, PGD, margin", *(_word(name) for name in names)],
        [
            [
                f"{epsilon:g}",
                share_words(every["accuracy"][k], every["interval"][k]),
                *(f"{100 * said['attacks'][name]['accuracy'][k]:.1f} %" for name in names),
            ]
            for k, epsilon in enumerate(said["epsilons"])
        ],
    )
    print_pairs(
        console,
        [
            *((f"{check['name']}{' (!)' if check['suspicious'] else ''}", check["words"]) for check in said["checks"]),
            ("verdict", said["verdict"]),
        ],
    )


def _word(name: str) -> str:
    return {"fgsm": "FGSM", "pgd": "PGD"}.get(name, name if name in GRADIENT_ATTACKS else f"{name} (test)")


def share_words(accuracy: float, interval: Sequence[float]) -> str:
    """Return an accuracy in percent with its interval."""
    low, high = interval
    return f"{100 * accuracy:.1f} % ({100 * low:.1f} to {100 * high:.1f})"

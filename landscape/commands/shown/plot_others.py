"""What `landscape plot` does with files of similarity, predictions, robustness and frequencies."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from landscape.commands.words import say
from landscape.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What is of surfaces alone.
_OTHERS = "kind cap eps levels title columns hillshade no_interpolation marks camera independent no_subtitle"


def plot_similarity(options: argparse.Namespace, outputs: list[Path]) -> int:
    """Draw a file of `landscape similarity`: a heat map of each network and of each pair of them."""
    from landscape.files.similarity_file import read_similarity
    from landscape.plot.representations.similarity_maps import similarity

    if len(options.files) > 1:
        raise UsageError("a picture of similarity is of one file at a time")
    refuse_others(options, "similarity")
    names = options.name or ["cka"]
    if len(names) > 1:
        raise UsageError("a picture of similarity shows one kind of values: give --name once")
    figure = similarity(
        read_similarity(options.files[0]),
        values=names[0],
        colormap="magma" if options.colormap == "viridis" else options.colormap,
        headline=options.headline or "",
        caption=not (options.no_caption or options.venue),
        size=options.venue or options.size,
        font=options.font,
    )
    return _written(figure, options, outputs)


def plot_predictions(options: argparse.Namespace, outputs: list[Path]) -> int:
    """Draw a file of `landscape predictions`: its first two groups, or those that --name says."""
    from landscape.files.predictions_file import read_predictions
    from landscape.plot.representations.population_figures import predictions

    if len(options.files) > 1:
        raise UsageError("a picture of predictions is of one file at a time")
    refuse_others(options, "predictions")
    groups = options.name or []
    if len(groups) not in (0, 2):
        raise UsageError("a picture of predictions is of two groups: give --name twice, or leave it out")
    figure = predictions(
        read_predictions(options.files[0]),
        *groups,
        headline=options.headline or "",
        caption=not (options.no_caption or options.venue),
        size=options.venue or options.size,
        font=options.font,
    )
    return _written(figure, options, outputs)


def plot_robustness(options: argparse.Namespace, outputs: list[Path]) -> int:
    """Draw files of `landscape robustness`: accuracy against strength, a curve each."""
    from landscape.files.robustness_file import read_robustness
    from landscape.plot.lines.robustness_curves import robustness

    refuse_others(options, "robustness", but="title")
    figure = robustness(
        [read_robustness(each) for each in options.files],
        labels=options.title,
        headline=options.headline or "",
        caption=not (options.no_caption or options.venue),
        size=options.venue or options.size,
        font=options.font,
    )
    return _written(figure, options, outputs)


def plot_frequencies(options: argparse.Namespace, outputs: list[Path]) -> int:
    """Draw a file of `landscape frequencies`: accuracy against cut-offs."""
    from landscape.files.frequencies_file import read_frequencies
    from landscape.plot.lines.frequency_curves import frequencies

    refuse_others(options, "frequencies", but="title")
    figure = frequencies(
        [read_frequencies(each) for each in options.files],
        labels=options.title,
        headline=options.headline or "",
        caption=not (options.no_caption or options.venue),
        size=options.venue or options.size,
        font=options.font,
    )
    return _written(figure, options, outputs)


def _written(figure: Figure, options: argparse.Namespace, outputs: list[Path]) -> int:
    """Write a picture, and say what it shows."""
    from landscape.plot.saving import save_figure
    from landscape.plot.style.fields import recall

    for output in outputs:
        save_figure(figure, output, dpi=options.dpi)
    say(f"wrote {', '.join(map(str, outputs))}")
    say(recall(figure).get("Description", ""))
    return 0


def refuse_others(options: argparse.Namespace, what: str, *, but: str = "") -> None:
    """Refuse options that say nothing of such a picture."""
    names = [name for name in _OTHERS.split() if name != but]
    given = [name for name in names if getattr(options, name, None) not in (None, False, [])]
    if given:
        raise UsageError(f"--{given[0].replace('_', '-')} does not go with {what}, which has a picture of its own")


# What draws each kind of report.
PICTURES = {
    "similarity": plot_similarity,
    "predictions": plot_predictions,
    "robustness": plot_robustness,
    "frequencies": plot_frequencies,
}

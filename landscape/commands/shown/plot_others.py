"""What `landscape plot` draws of files that are no surfaces: reports, and curvature."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from landscape.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Options that only some pictures take, and what says that they were not given.
_OPTIONS = """kind name scale cap eps levels colormap color title headline columns hillshade no_interpolation marks
    camera independent no_subtitle"""
_NOT_GIVEN: tuple[Any, ...] = (None, False, [], "auto", "viridis")


def draw_report(kind: str, options: argparse.Namespace) -> Figure:
    """Draw the files, of which the first one is of a kind: a report's, or curvature."""
    return _PICTURES[kind](options)


def _page(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the figure is asked to be, of whatever kind."""
    return {
        "headline": options.headline or "",
        "caption": not (options.no_caption or options.venue),
        "size": options.venue or options.size,
        "font": options.font,
    }


def _similarity(options: argparse.Namespace) -> Figure:
    """Draw a file of `landscape similarity`: maps of networks and their pairs, of all or of those that --name says."""
    from landscape.files.reports.similarity_file import read_similarity
    from landscape.plot.representations.similarity_maps import WORDS, similarity

    _refuse_others(options, "similarity", takes=("name", "colormap", "headline"), one=True)
    found = read_similarity(options.files[0])
    known = [each.name for each in found.networks]
    chosen = list(dict.fromkeys(each for each in options.name or [] if each in known and each not in WORDS))
    names = [name for name in options.name or [] if name not in chosen] or ["cka"]
    if len(names) > 1:
        raise UsageError(
            f"a picture of similarity shows one kind of values, {' and '.join(names)} were asked for; --name chooses "
            f"networks, too: {', '.join(known[:8])}"
        )
    return similarity(
        found,
        values=names[0],
        networks=chosen or None,
        colormap="magma" if options.colormap == "viridis" else options.colormap,
        **_page(options),
    )


def _predictions(options: argparse.Namespace) -> Figure:
    """Draw a file of `landscape predictions`: its first two groups, or those that --name says."""
    from landscape.files.reports.predictions_file import read_predictions
    from landscape.plot.representations.population_figures import predictions

    _refuse_others(options, "predictions", takes=("name", "headline"), one=True)
    groups = options.name or []
    if len(groups) not in (0, 2):
        raise UsageError("a picture of predictions is of two groups: give --name twice, or leave it out")
    return predictions(
        read_predictions(options.files[0]),
        *groups,
        **_page(options),
    )


def _robustness(options: argparse.Namespace) -> Figure:
    """Draw files of `landscape robustness`: accuracy against strength, a curve each."""
    from landscape.files.reports.robustness_file import read_robustness
    from landscape.plot.lines.robustness_curves import robustness

    _refuse_others(options, "robustness", takes=("title", "headline"))
    return robustness(
        [read_robustness(each) for each in options.files],
        labels=options.title,
        **_page(options),
    )


def _frequencies(options: argparse.Namespace) -> Figure:
    """Draw a file of `landscape frequencies`: accuracy against cut-offs."""
    from landscape.files.reports.frequencies_file import read_frequencies
    from landscape.plot.lines.frequency_curves import frequencies

    _refuse_others(options, "frequencies", takes=("title", "headline"))
    return frequencies(
        [read_frequencies(each) for each in options.files],
        labels=options.title,
        **_page(options),
    )


def _walk(options: argparse.Namespace) -> Figure:
    """Draw files of `landscape walk`: the loss along the gradient over steps, a curve each."""
    from landscape.files.reports.walk_file import read_walk
    from landscape.plot.lines.walk_curves import walk

    _refuse_others(options, "walks", takes=("title", "headline"))
    return walk([read_walk(each) for each in options.files], labels=options.title, **_page(options))


def _curvature(options: argparse.Namespace) -> Figure:
    """Draw a file of `landscape curvature`: spectra, and traces by layer; of a run, numbers over steps."""
    from landscape.files.reports.curvature_file import read_curvature
    from landscape.files.reports.curvature_run_file import is_curvature_run, read_curvature_run
    from landscape.plot.spectra.run_figures import draw_curvature_run
    from landscape.plot.spectra.spectrum_figures import draw_curvature

    _refuse_others(options, "curvature", one=True)
    path, page = options.files[0], _page(options)
    del page["headline"]
    if is_curvature_run(path):
        return draw_curvature_run(read_curvature_run(path), **page)
    return draw_curvature(read_curvature(path), **page)


def _refuse_others(options: argparse.Namespace, what: str, *, takes: tuple[str, ...] = (), one: bool = False) -> None:
    """Refuse options that say nothing of such a picture, and several files where it is of ``one``."""
    if one and len(options.files) > 1:
        raise UsageError(f"a picture of {what} is of one file at a time")
    others = [name for name in _OPTIONS.split() if name not in takes]
    # A cap of 0 is given, though it equals False.
    values = {name: getattr(options, name, None) for name in others}
    given = [name for name, value in values.items() if value not in _NOT_GIVEN or type(value) in (int, float)]
    if given:
        raise UsageError(f"--{given[0].replace('_', '-')} does not go with {what}, which has a picture of its own")


# What draws each kind.
_PICTURES: dict[str, Callable[[argparse.Namespace], Figure]] = {
    "similarity": _similarity,
    "predictions": _predictions,
    "robustness": _robustness,
    "frequencies": _frequencies,
    "walk": _walk,
    "curvature": _curvature,
}

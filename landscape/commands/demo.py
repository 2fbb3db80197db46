"""Train two small networks, measure the loss around them, draw everything.

Two networks of 56 layers on the handwritten digits that ship with landscape, one with shortcuts and one without: the
pair of Li et al.'s first figure. Takes under two minutes on two cores and writes into landscape-demo/.

    landscape demo
"""

from __future__ import annotations

import argparse
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from landscape.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from landscape.demo import DemoSettings, Report
    from landscape.plot.figures import Kind
    from landscape.surface import Surface

TITLES = {"residual": "with shortcuts", "plain": "without shortcuts"}
# Both planes to turn: what 'landscape view' makes of them.
INTERACTIVE, HEADLINE = "page.html", "Two loss landscapes, one scale"
# Kinds of pictures: (file, which surfaces, how they are drawn).
PICTURES: tuple[tuple[str, str, Kind], ...] = (
    ("surface", "plane", "surface"),
    ("contour", "plane", "contour"),
    ("heatmap", "plane", "heatmap"),
    ("line", "line", "line"),
)
# Test accuracy below which a network of ours on the digits has not learned them: a linear classifier reaches 0.95.
TRAINED = 0.95


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("-o", "--output", default="landscape-demo", metavar="FOLDER", help="where everything goes")
    parser.add_argument("--epochs", type=int, default=30, help="of training, for each network")
    parser.add_argument("--line", default="-1:1:51", metavar="MIN:MAX:NUM", help="points of the line")
    parser.add_argument("--plane", default="-1:1:31", metavar="MIN:MAX:NUM", help="points along each axis of the plane")
    parser.add_argument("--samples", type=int, default=256, metavar="N", help="of each data set, at each point")
    parser.add_argument("--seed", type=int, default=0, help="of the networks, their training and the directions")


def run(options: argparse.Namespace) -> int:
    """Train, measure, draw; say where to look."""
    from landscape.demo import DemoSettings, run_demo
    from landscape.grid import parse_range

    settings = DemoSettings(options.epochs, options.line, options.plane, options.samples, options.seed)
    for text in (options.line, options.plane):
        parse_range(text)
    folder = Path(options.output)
    _make_folder(folder)
    with _bars() as report:
        scores = run_demo(folder, settings, report)
        surfaces = _read(folder)
        drawn = _draw(folder, surfaces, scores, report)
    _write_index(folder, settings, scores, surfaces, drawn)
    for network, values in scores.items():
        print(f"{TITLES[network]}: {100 * values['test/accuracy']:.1f} % of the test images right")
    note = training_note(scores)
    if note:
        print(note)
    print(f"open {folder / 'index.html'}")
    return 0


def training_note(scores: Mapping[str, Mapping[str, float]]) -> str:
    """Return what has to be said about networks that did not learn the digits; nothing where all did."""
    said = [
        f"The network {TITLES[name]} did not finish training: {100 * values['train/accuracy']:.0f} % of the training "
        f"and {100 * values['test/accuracy']:.0f} % of the test images right."
        for name, values in scores.items()
        if values["test/accuracy"] < TRAINED
    ]
    return " ".join(said)


def _headline(scores: Mapping[str, Mapping[str, float]]) -> str:
    """Return the same in as few words as fit above the narrowest picture."""
    poor = [TITLES[name] for name, values in scores.items() if values["test/accuracy"] < TRAINED]
    return f"Did not finish training: {', '.join(poor)}" if poor else ""


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {folder}: {error.strerror}; pass another with -o") from error
    if not os.access(folder, os.W_OK):
        raise StoreError(f"the folder {folder} cannot be written to; pass another with -o")


@contextmanager
def _bars() -> Iterator[Report]:
    """Give a progress bar for each network's stages and for drawing."""
    from landscape.commands.progress import progress_bars

    units = {"training": "epochs", "drawing": "pictures"}
    with progress_bars() as show:
        yield lambda network, stage, done, total: show(
            f"{stage} {TITLES.get(network, network)}".strip(), units.get(stage, "points"), done, total
        )


def _read(folder: Path) -> dict[str, list[Surface]]:
    import dataclasses

    from landscape.store import read_surface

    return {
        stage: [
            dataclasses.replace(read_surface(folder / f"{network}-{stage}.h5"), title=title)
            for network, title in TITLES.items()
        ]
        for stage in ("line", "plane")
    }


def _draw(
    folder: Path, surfaces: Mapping[str, list[Surface]], scores: Mapping[str, Mapping[str, float]], report: Report
) -> dict[str, str]:
    """Draw every picture; return each one's caption by its file."""
    from landscape.plot import draw, save
    from landscape.plot.fields import recall

    captions = {}
    for number, (file, stage, kind) in enumerate(PICTURES):
        report("", "drawing", number, len(PICTURES))
        figure = draw(surfaces[stage], kind=kind, headline=_headline(scores))
        for suffix in ("png", "pdf"):
            save(figure, folder / f"{file}.{suffix}")
        captions[f"{file}.png"] = recall(figure).get("Description", "")
    report("", "drawing", len(PICTURES), len(PICTURES))
    return captions


def _write_index(
    folder: Path,
    settings: DemoSettings,
    scores: Mapping[str, Mapping[str, float]],
    surfaces: Mapping[str, list[Surface]],
    captions: Mapping[str, str],
) -> None:
    from landscape.commands.demo_page import demo_page
    from landscape.files import replace_file
    from landscape.plot.html import write_page

    write_page(surfaces["plane"], folder / INTERACTIVE, name=_headline(scores) or HEADLINE)
    commands = [settings.command(network, stage) for network in TITLES for stage in surfaces]
    page = demo_page(TITLES, scores, captions, training_note(scores), commands, interactive=INTERACTIVE)
    replace_file(folder / "index.html", page.encode())

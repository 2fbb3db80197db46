"""Train two small networks, measure the loss around them, draw everything.

Two networks of 38 layers on the handwritten digits that ship with landscape, one with shortcuts and one without: the
pair of Li et al.'s first figure. Takes about two minutes on two free cores and writes into landscape-demo/.

    landscape demo
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from landscape.commands.words import say
from landscape.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from landscape.commands.surfaces.demo_page import Picture
    from landscape.demo.run import Report
    from landscape.surface.surface import Surface

TITLES = {"residual": "with shortcuts", "plain": "without shortcuts"}
# Both planes to turn: what 'landscape view' makes of them.
INTERACTIVE, HEADLINE = "page.html", "Two loss landscapes"
# Kinds of pictures, in the order of the page, and which surfaces each is of.
PICTURES: tuple[tuple[str, str], ...] = (
    ("surface", "plane"), ("contour", "plane"), ("heatmap", "plane"), ("line", "line"),
)  # fmt: skip
# An epoch of both networks takes a second or two.
MOST_EPOCHS = 10_000
# Test accuracy below which a network of ours on the digits has not learned them: a linear classifier reaches 0.95.
TRAINED = 0.95


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("-o", "--output", default="landscape-demo", metavar="FOLDER", help="where everything goes")
    parser.add_argument("--epochs", type=int, default=30, help="of training, for each network")
    parser.add_argument("--line", default="-1:1:51", metavar="MIN:MAX:NUM", help="points of the line")
    parser.add_argument("--plane", default="-1:1:25", metavar="MIN:MAX:NUM", help="points along each axis of the plane")
    parser.add_argument("--samples", type=int, default=512, metavar="N", help="of each data set, at each point")
    parser.add_argument("--seed", type=int, default=0, help="of the networks, their training and the directions")


def run(options: argparse.Namespace) -> int:
    """Train, measure, draw; say where to look."""
    from landscape.commands.surfaces.demo_page import demo_page, facts
    from landscape.demo.run import DemoSettings, run_demo
    from landscape.files.atomic import replace_file
    from landscape.files.store import read_surface
    from landscape.plot.page.html import write_page
    from landscape.surface.grid import parse_range

    _check(options)
    settings = DemoSettings(options.epochs, options.line, options.plane, options.samples, options.seed)
    for text in (options.line, options.plane):
        parse_range(text)
    folder = Path(options.output)
    _make_folder(folder)
    with _bars() as report:
        scores = run_demo(folder, settings, report)
        note = training_note(scores)
        titles = {name: title_of(name, values) for name, values in scores.items()}
        surfaces = {
            stage: [
                dataclasses.replace(read_surface(folder / f"{network}-{stage}.h5"), title=title)
                for network, title in titles.items()
            ]
            for stage in ("line", "plane")
        }
        pictures = _draw(folder, surfaces, report)
    write_page(surfaces["plane"], folder / INTERACTIVE, name=HEADLINE)
    commands = [settings.command(network, stage) for network in TITLES for stage in surfaces]
    rows = facts(scores, surfaces["plane"])
    page = demo_page(titles, rows, pictures, note, commands, layers=settings.layers, interactive=INTERACTIVE)
    replace_file(folder / "index.html", page.encode())
    for network, values in scores.items():
        say(f"{TITLES[network]}: {100 * values['test/accuracy']:.1f} % of the test images right")
    if note:
        say(note)
    say(f"open {folder / 'index.html'}")
    return 0


def title_of(network: str, scores: Mapping[str, float]) -> str:
    """Return what a network is called above its pictures, which say so where it did not learn the digits."""
    return TITLES[network] + ("" if scores["test/accuracy"] >= TRAINED else ", undertrained")


def _check(options: argparse.Namespace) -> None:
    """Refuse numbers before anything is trained."""
    for name, least in (("epochs", 1), ("samples", 1)):
        if getattr(options, name) < least:
            raise UsageError(f"--{name} is {getattr(options, name)}, it has to be at least {least}")
    if options.epochs > MOST_EPOCHS:
        raise UsageError(f"--epochs {options.epochs} would take days; at most {MOST_EPOCHS:,} are trained")


def training_note(scores: Mapping[str, Mapping[str, float]]) -> str:
    """Return what has to be said about networks that did not learn the digits; nothing where all did."""
    return " ".join(
        f"The network {TITLES[name]} did not finish training: {100 * values['train/accuracy']:.0f} % of the training "
        f"and {100 * values['test/accuracy']:.0f} % of the test images right."
        for name, values in scores.items()
        if values["test/accuracy"] < TRAINED
    )


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
    from landscape.parallel.progress import progress_bars

    units = {"training": "epochs", "drawing": "pictures"}
    with progress_bars() as show:
        yield lambda network, stage, done, total: show(
            f"{stage} {TITLES.get(network, network)}".strip(), units.get(stage, "points"), done, total
        )


def _draw(folder: Path, surfaces: Mapping[str, list[Surface]], report: Report) -> list[Picture]:
    """Draw every picture for a desk, a phone and a paper."""
    from landscape.commands.surfaces.demo_page import Picture
    from landscape.plot import draw, save

    pictures = []
    for number, (kind, stage) in enumerate(PICTURES, 1):
        figure = draw(surfaces[stage], kind=kind)
        picture = Picture(kind, f"{kind}.png", f"{kind}-tall.png", f"{kind}.pdf")
        save(figure, folder / picture.wide)
        save(figure, folder / picture.print)
        save(draw(surfaces[stage], kind=kind, columns=1), folder / picture.tall)
        pictures.append(picture)
        report("", "drawing", number, len(PICTURES))
    return pictures

"""A plane from a subset and anchors, beside the subset's means and all the data: errors, coverage, cost.

    python -m tests.benchmarks.anchors --model nets.py:resnet20 --checkpoint net.pt --data images.npz --images 1500 \
        --number 9 --samples 250 --folder out
    python -m tests.benchmarks.anchors --digits --number 25 --samples 200 --folder out
    python -m tests.benchmarks.anchors --digits --shifts --number 41 --samples 1000 --error 0.02 --parts --folder out

The truth is every point measured on all images; each surface is a file in the folder, so that a run cut short goes on
(but for its images, of which those of this run are counted). ``--draws`` measures with ``--error`` again and again, by
other samples each time: all points share them, so that one draw may be wrong everywhere in the same way. ``--parts``
measures with the standard error and with the tolerance alone that ``--error`` sets, too. With ``--shifts`` all digits
are there nine times, shifted by a pixel. With ``--picture`` the four maps are drawn: plain, anchored, truth, and both
errors relative to loss + eps.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

import landscape
from landscape.evaluation.forward_pass.objective import Objective
from landscape.evaluation.forward_pass.sample_values import Chunk, SampleValues
from landscape.problem.model import load_model, parse_arguments
from landscape.surface.derived.stated_error import share_out, stated_error, stated_words
from landscape.surface.heights import suitable_eps
from landscape.surface.surface import Surface, sampling_factor
from tests.benchmarks.speed import MEAN, STD

NAME = "train/loss"


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], prog="python -m tests.benchmarks.anchors")
    parser.add_argument("--digits", action="store_true", help="a small network trained here, on the shipped digits")
    parser.add_argument("--model", help="FILE.py:FACTORY or MODULE:FACTORY")
    parser.add_argument("--model-args", metavar="JSON")
    parser.add_argument("--checkpoint")
    parser.add_argument("--data", help=".npz with x, uint8 n x h x w x c, and y")
    parser.add_argument("--images", type=int, default=2000, help="so many are all the data")
    parser.add_argument("--number", type=int, default=17, help="points along each axis")
    parser.add_argument("--samples", type=int, default=250)
    parser.add_argument("--anchors", default="auto", help="auto or a number")
    parser.add_argument("--error", type=float, help="also with this one error asked for")
    parser.add_argument("--parts", action="store_true", help="also with what it sets, one at a time")
    parser.add_argument("--draws", type=int, default=0, help="so many times with other samples, by --error")
    parser.add_argument("--shifts", action="store_true", help="nine times the digits, shifted")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--picture", type=Path, help="a file to draw")
    return parser.parse_args()


def digits(shifts: bool = False) -> tuple[torch.nn.Module, Any]:
    """Return a network trained on the digits for a moment, and the digits."""
    torch.manual_seed(0)
    x, y = landscape.digits("train")
    if shifts:
        x = torch.cat([x.roll((a, b), (-2, -1)) for a in (-1, 0, 1) for b in (-1, 0, 1)])
        y = y.repeat(9)
    x = x.flatten(1)
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(6 if shifts else 40):
        for part in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[part]), y[part]).backward()
            optimizer.step()
    return model, (x, y)


def images(options: argparse.Namespace) -> tuple[torch.nn.Module, Any]:
    """Return a network and the images it is measured on."""
    arguments = parse_arguments(options.model_args) if options.model_args else None
    model, _ = load_model(options.model, arguments, options.checkpoint)
    with np.load(options.data) as arrays:
        x, y = (torch.from_numpy(arrays[key][: options.images]) for key in "xy")
    mean, std = (torch.tensor(each)[:, None, None] for each in (MEAN, STD))
    return model, ((x.permute(0, 3, 1, 2).float() / 255 - mean) / std, y.long())


@contextmanager
def counted_images() -> Iterator[list[int]]:
    """Count the images that go through the network in between, whatever they are measured for."""
    count, measure = [0], Objective.measure

    def counting(self: Objective, chunks: Sequence[Chunk], **settings: Any) -> SampleValues:
        count[0] += sum(chunk.stop - chunk.start for chunk in chunks)
        return measure(self, chunks, **settings)

    Objective.measure = counting  # type: ignore[method-assign]
    try:
        yield count
    finally:
        Objective.measure = measure  # type: ignore[method-assign]


def compared(found: Surface, truth: Surface, passed: int) -> str:
    """Return one line: errors relative to loss + eps, how often the stated interval holds, images measured."""
    eps = suitable_eps(truth[NAME].reshape(-1), "log")
    off = found[NAME] - truth[NAME]
    relative = np.abs(off) / (truth[NAME] + eps)
    stated = found.stderr[NAME] * sampling_factor(found, NAME)
    left = stated > 1e-9
    covered = (np.abs(off[left]) <= 1.96 * stated[left]).mean() if left.any() else 1.0
    middle = tuple(number // 2 for number in off.shape)
    within = (relative <= 0.02).mean()
    return (
        f"| {100 * np.sqrt((relative**2).mean()):.2f} % | {100 * np.quantile(relative, 0.95):.2f} % | "
        f"{100 * relative[middle]:.2f} % | {100 * within:.0f} % | {100 * covered:.0f} % | {passed:,} |"
    )


def main() -> None:
    """Measure, print a table, draw."""
    options = parse()
    options.folder.mkdir(parents=True, exist_ok=True)
    model, data = digits(options.shifts) if options.digits else images(options)
    plane = landscape.random_plane(model, seed=0)
    grid = f"-1:1:{options.number}"
    anchors = options.anchors if options.anchors == "auto" else int(options.anchors)
    runs: dict[str, dict[str, Any]] = {
        "anchored": {"samples": options.samples, "anchors": anchors},
        "plain": {"samples": options.samples, "anchors": "none"},
        "truth": {},
    }
    if options.error is not None:
        runs["one error"] = {"error": options.error}
        shares = share_out(options.error)
        if options.parts:
            runs["standard error"] = {"standard_error": shares.standard_error}
            runs["tolerance"] = {"tolerance": shares.tolerance}
    surfaces, passed = {}, {}
    for name, settings in runs.items():
        with counted_images() as count:
            path = options.folder / f"{name}.h5"
            surfaces[name] = landscape.evaluate(model, data, plane, x=grid, y=grid, path=path, **settings)
        passed[name] = count[0]
    number = len(surfaces["anchored"].anchors["train"].points) if surfaces["anchored"].anchors else 0
    print(f"{options.number} x {options.number} points, {options.samples} of {len(data[1]):,}, {number} anchors")
    print("| values | rms error | 95 % of points within | at theta* | points within 2 % | interval holds | images |")
    print("|---|---|---|---|---|---|---|")
    for name in ("plain", *(name for name in runs if name != "plain")):
        print(f"| {name} {compared(surfaces[name], surfaces['truth'], passed[name])}")
    if "one error" in surfaces:
        print(f"stated: {stated_words(stated_error(surfaces['one error'], NAME))}")
    if options.picture:
        draw(surfaces, options.picture)
    if options.draws:
        print(by_draws(options, model, data, surfaces["truth"]))


def by_draws(options: argparse.Namespace, model: torch.nn.Module, data: Any, truth: Surface) -> str:
    """Return how often more than 5 % of the points are further off than what is stated, over draws of the samples."""
    plane, grid = landscape.random_plane(model, seed=0), f"-1:1:{options.number}"
    beyond, shares, passed = [], [], []
    for seed in range(options.draws):
        with counted_images() as count:
            found = landscape.evaluate(model, data, plane, x=grid, y=grid, error=options.error, sample_seed=seed)
        passed.append(count[0])
        stated = stated_error(found, NAME)
        assert stated is not None
        eps = found.quality["standard_error"]["eps"]["train"]
        off = np.abs(found[NAME] - truth[NAME]) / (truth[NAME] + eps)
        beyond.append((off > stated.total).mean())
        shares.append(np.quantile(off, 0.95) / stated.total)
    middle, most = np.quantile(shares, [0.5, 0.95])
    return (
        f"{options.draws} draws, {np.mean(passed):,.0f} images: 95 % of points within {middle:.0%} of what is stated "
        f"at the middle draw, within {most:.0%} at 95 % of draws; more than 5 % of points beyond it at "
        f"{sum(np.array(beyond) > 0.05)}, {max(beyond):.1%} of points at most, {np.mean(beyond):.1%} on average"
    )


def draw(surfaces: dict[str, Surface], path: Path) -> None:
    """Draw plain, anchored and true losses on one scale, and below them how far the first two are off."""
    from matplotlib.figure import Figure

    truth = surfaces["truth"]
    eps = suitable_eps(truth[NAME].reshape(-1), "log")
    x, y = (axis.values for axis in truth.axes)
    figure = Figure(figsize=(9.5, 5.6), layout="constrained")
    axes = figure.subplots(2, 3)
    heights = {name: np.log10(surface[NAME] + eps) for name, surface in surfaces.items()}
    low, high = heights["truth"].min(), heights["truth"].max()
    words = {"plain": "means of the subset", "anchored": "subset and anchors", "truth": "all data"}
    for ax, name in zip(axes[0], ("plain", "anchored", "truth"), strict=True):
        drawn = ax.contourf(x, y, heights[name], levels=np.linspace(low, high, 15), extend="both")
        ax.set_title(words[name], fontsize=9)
    figure.colorbar(drawn, ax=axes[0, 2], label=f"log10(loss + {eps:g})", shrink=0.8)
    errors = {name: 100 * (surfaces[name][NAME] - truth[NAME]) / (truth[NAME] + eps) for name in ("plain", "anchored")}
    most = np.abs(errors["plain"]).max()
    for ax, (name, error) in zip(axes[1], errors.items(), strict=False):
        shown = ax.pcolormesh(x, y, error, cmap="RdBu_r", vmin=-most, vmax=most, shading="nearest")
        rms = np.sqrt((error**2).mean())
        ax.set_title(f"error: {words[name]}, rms {rms:.1f} %", fontsize=8)
        if name == "anchored":
            points = surfaces[name].anchors["train"].points
            places = points[points >= 0]
            ax.plot(x[places % len(x)], y[places // len(x)], "k.", ms=4)
            ax.plot(0, 0, "k*", ms=7)
    figure.colorbar(shown, ax=axes[1, 1], label="% of loss + eps", shrink=0.8)
    axes[1, 2].axis("off")
    text = "points: anchors,\nmeasured on all data\nstar: the checkpoint,\nthe first of them"
    axes[1, 2].text(0, 0.6, text, fontsize=9)
    for ax in axes.flat[:5]:
        ax.set_aspect("equal")
        ax.tick_params(labelsize=7)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()

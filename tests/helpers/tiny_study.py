"""A study of networks of a few weights: each task takes milliseconds, and says when it was done.

Each call of the user's functions below adds a line to the file that ``TRACE`` names, where it is set.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch
from torch import Tensor, nn

import landscape

TRACE = "STUDY_TRACE"
SLOW = "STUDY_SECONDS"

FILE = """
title = "Tiny <b>study</b>"
question = "Is it & remains small?"
seeds = [0, 1, 2]
least_accuracy = 0.2

[data]
train = "{place}:data"
test = "{place}:data"

[recipe]
network = "{place}:net"
training = "{place}:train"
epochs = 3
learning_rate = 0.5

[variants.narrow]
title = "2 <i>units</i>"
arguments = {{ width = 2 }}

[variants.wide]
arguments = {{ width = 5 }}

[measurements.line]
measure = "{place}:line"

[measurements.both]
measure = "{place}:both"
per = "seed"

[hypotheses.sizes]
statement = "A wide network has more weights"
value = "line/weights"
expect = "wide > narrow + 5"

[hypotheses.together]
statement = "Loss and weights go <u>together</u>"
correlate = ["line/weights", "training/train_loss"]
given = "sizes"
expect = "< 0"

[smoke]
seeds = [7, 8]
recipe = {{ epochs = 1 }}
"""


def write(folder: Path, **changes: str) -> Path:
    """Write the study's file, with pieces of text replaced: ``old`` by ``new`` of each pair of keywords' values."""
    text = FILE.format(place=Path(__file__).resolve())
    for old, new in changes.values():
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "tiny.toml"
    path.write_text(text)
    return path


def net(width: int = 2) -> nn.Module:
    """Return the network."""
    return nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 2)).double()


def data() -> tuple[Tensor, Tensor]:
    """Return 20 samples of two classes."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    return x, (x.sum(1) > 0).long()


def note(what: str) -> None:
    """Say that something is being done."""
    if TRACE in os.environ:
        with open(os.environ[TRACE], "a") as file:
            file.write(f"{what}\n")
    time.sleep(float(os.environ.get(SLOW, "0")))


def train(recipe, seed, data, folder, progress):  # type: ignore[no-untyped-def]
    """Take a few steps of gradient descent."""
    note(f"train {recipe.arguments['width']} {seed}")
    if recipe.options.get("fails") == seed:
        raise ValueError("no <such> luck")
    if recipe.options.get("dies") == seed:
        os._exit(3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = net(**recipe.arguments)
    x, y = data["train"].fetch(range(data["train"].size))
    rows = ["epoch,train_loss"]
    for epoch in range(recipe.epochs):
        loss = nn.functional.cross_entropy(model(x), y)
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for weight, gradient in zip(model.parameters(), gradients, strict=True):
                weight -= recipe.learning_rate * gradient
        rows.append(f"{epoch},{float(loss.detach())!r}")
        progress(epoch + 1, recipe.epochs)
    (folder / "history.csv").write_text("\n".join(rows) + "\n")
    torch.save({"state_dict": model.state_dict()}, folder / "final.pt")
    right = (model(x).argmax(1) == y).double().mean()
    right = recipe.options.get("accuracy", right)
    return {"train_loss": loss.detach(), "train_accuracy": float(right), "test_accuracy": float(right)}


def line(context):  # type: ignore[no-untyped-def]
    """Measure a line, and count weights."""
    (network,) = context.networks
    note(f"line {network.variant} {network.seed}")
    model = network.model()
    plane = landscape.random_plane(model, seed=context.seed)
    path = context.folder / "line.h5"
    data = {"train": context.data["train"]}
    surface = landscape.evaluate(model, data, plane, x="-1:1:3", path=path)
    if "y" in context.arguments:
        landscape.evaluate(model, data, plane, x="-1:1:3", y=context.arguments["y"], path=context.folder / "plane.h5")
    rise = float(surface["train/loss"].max())
    (context.folder / "rise.curve.csv").write_text(f"x,y\n0,{rise}\n1,{2 * rise}\n")
    return {"weights": sum(p.numel() for p in model.parameters()), "rise": rise}


def both(context):  # type: ignore[no-untyped-def]
    """Compare the networks of a seed."""
    note(f"both {context.networks[0].seed}")
    first, second = (each.scores["train_loss"] for each in context.networks)
    return {"difference": first - second, "wide/loss": second}

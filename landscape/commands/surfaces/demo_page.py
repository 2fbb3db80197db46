"""The demo's index.html, a newcomer's first five minutes: what was measured, how to read it, what to type next.

Works on a phone as on a desk, needs no script and no network, and says only what this run's files hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from landscape.surface.surface import Surface

_STYLE = r"""
:root {
  color-scheme: light dark;
  --ink: #1c2430; --soft: #566171; --line: #d9dee5; --ground: #ffffff; --card: #f4f6f8; --accent: #0b63c5;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ecf1; --soft: #a3adba; --line: #333c48; --ground: #12161b; --card: #1b2129; --accent: #6cb2ff; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); overflow-wrap: break-word;
  font: 17px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 48px 24px 72px; }
h1 { font-size: clamp(28px, 4.2vw, 44px); line-height: 1.12; letter-spacing: -.02em; margin: 0 0 14px; }
h2 { font-size: clamp(21px, 2.4vw, 26px); line-height: 1.25; letter-spacing: -.01em; margin: 64px 0 8px; }
h3 { font-size: 17px; margin: 28px 0 6px; }
p, ul { max-width: 70ch; margin: 0 0 14px; }
a { color: var(--accent); }
.lead { font-size: 1.12em; }
.note { border-left: 4px solid #d55e00; padding-left: 14px; }
.turn { display: inline-block; margin: 8px 0 24px; padding: 11px 20px; border-radius: 8px; background: var(--ink);
  color: var(--ground); text-decoration: none; font-weight: 600; }
.turn::after { content: " \2192"; }
figure { margin: 14px 0 0; }
figure img { display: block; width: 100%; height: auto; background: #fff; border-radius: 8px; }
table { border-collapse: collapse; margin: 18px 0; width: 100%; max-width: 760px; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 0 7px 14px; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th { font-weight: 600; }
tbody th { font-weight: 400; text-align: left; padding-left: 0; }
thead th:first-child { padding-left: 0; }
small { display: block; color: var(--soft); font-size: 14px; line-height: 1.4; }
pre { background: var(--card); padding: 14px 16px; border-radius: 8px; overflow-x: auto; font-size: 14px;
  line-height: 1.55; user-select: all; -webkit-user-select: all; margin: 0 0 14px; }
summary { cursor: pointer; font-weight: 600; padding: 6px 0; }
footer { margin-top: 64px; padding-top: 18px; border-top: 1px solid var(--line); color: var(--soft); font-size: 15px; }
@media (max-width: 700px) { body { font-size: 16px; } main { padding: 28px 16px 56px; } h2 { margin-top: 48px; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; } }
"""
# What a picture shows, and what to look at: heading, the words of somebody who cannot see it, explanation.
_EXPLAINED = {
    "surface": (
        "The loss around both networks",
        "two surfaces of the training loss, one for each network",
        "The trained network stands in the middle. The floor is a plane of changed weights through it, along two "
        "random directions; the height is the training loss there. A step of 1 along an axis changes every filter by "
        "its own length. Both surfaces have one scale, so heights and colours compare. Look close to the middle "
        "first: how far can one go before the loss rises? Guessing all ten digits alike costs 2.3; far above that both "
        "networks are wrong and sure of it, and which of them is higher says little.",
    ),
    "contour": (
        "The same planes from above",
        "contours of the training loss, one map for each network",
        "Along each line the loss is the same, and the number on it says which. Where lines crowd, the loss changes "
        "fast; the star is the trained network.",
    ),
    "heatmap": (
        "What was measured, point by point",
        "heat maps of the training loss, one for each network",
        "Each square is one measurement. Nothing between them is smoothed or filled in: look here when a shape in the "
        "other pictures is in doubt.",
    ),
    "line": (
        "A cut along the first direction",
        "loss and accuracy of both networks along a line",
        "Left the loss, right the accuracy, on the training images (solid) and on images the networks have not seen "
        "(dashed). 0 is the trained network.",
    ),
}
# Distances from the trained weights, in filter lengths, half the width of the rings there, and the loss below which a
# point counts as good.
_AWAY, _WIDTH, _GOOD = (0.25, 0.5, 1.0), 0.05, 0.5


@dataclass(frozen=True)
class Picture:
    """One kind of picture, in files beside the page."""

    kind: str
    wide: str  # PNG, both networks beside each other
    tall: str  # PNG, one below the other, for a phone
    print: str  # PDF


def facts(scores: Mapping[str, Mapping[str, float]], planes: Sequence[Surface]) -> list[tuple[str, str, list[str]]]:
    """Return the rows of the table: what, of which images, and a text for each network.

    Parameters
    ----------
    scores : mapping
        Network -> loss and accuracy on all images of both sets.
    planes : sequence of Surface
        Each network's plane, in the same order.
    """
    data = planes[0].problem["data"]
    everything = {name: f"all {data[name]['size']:,}" for name in ("train", "test")}
    used = f"the {data['train']['samples']:,} of the pictures"
    rows = [
        ("Training images right", everything["train"], [_percent(v["train/accuracy"]) for v in scores.values()]),
        ("Test images right", everything["test"], [_percent(v["test/accuracy"]) for v in scores.values()]),
        ("Training loss", everything["train"], [f"{v['train/loss']:.2g}" for v in scores.values()]),
        ("Training loss", used, [f"{plane.origin['values']['train/loss']:.2g}" for plane in planes]),
        ("Test loss", everything["test"], [f"{v['test/loss']:.2g}" for v in scores.values()]),
    ]
    losses = [plane.values["train/loss"] for plane in planes]
    apart = np.hypot(*np.meshgrid(planes[0].axes[0].values, planes[0].axes[1].values))
    for away in _AWAY:
        rows.append(
            (f"Median training loss {away:g} away", used, [_ring(loss, np.abs(apart - away)) for loss in losses])
        )
    rows.append(
        (f"Share of the plane below a loss of {_GOOD:g}", used, [_percent((loss < _GOOD).mean()) for loss in losses])
    )
    return rows


def _ring(loss: NDArray[np.float64], off: NDArray[np.float64]) -> str:
    """Return the median of the points on a ring, which is as wide as it needs to be where the grid is coarse."""
    return f"{np.nanmedian(loss[off <= max(_WIDTH, off.min())]):.2g}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def demo_page(
    titles: Mapping[str, str],
    rows: Sequence[tuple[str, str, Sequence[str]]],
    pictures: Sequence[Picture],
    note: str,
    commands: Sequence[str],
    *,
    layers: int,
    interactive: str,
) -> str:
    """Return the page as HTML; pictures are files beside it.

    Parameters
    ----------
    titles : mapping
        Network -> what it is called.
    rows : sequence
        As `facts` gives them.
    pictures : sequence of Picture
        In the order of the page; the first stands above the table.
    note : str
        What has to be said about networks that did not train; empty where all did.
    commands : sequence of str
        What makes the same surfaces again.
    layers : int
        Of each network.
    interactive : str
        File of the page in which both can be turned.
    """
    remark = f'<p class="note">{escape(note)}</p>' if note else ""
    first, *others = [_figure(picture) for picture in pictures]
    heads = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles.values())
    body = "".join(
        f'<tr><th scope="row">{escape(what)}<small>{escape(of)}</small></th>'
        f"{''.join(f'<td>{escape(text)}</td>' for text in texts)}</tr>"
        for what, of, texts in rows
    )
    papers = ", ".join(f'<a href="{escape(each.print)}">{escape(each.print)}</a>' for each in pictures)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'">
<title>Two loss landscapes</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>Two loss landscapes</h1>
<p class="lead">One network of {layers} layers, trained twice on 8 &times; 8 images of handwritten digits, by one recipe
and from the same initial weights: once with shortcuts around every two layers, once without. How does the loss behave
around what each of them found?</p>
{remark}
<a class="turn" href="{escape(interactive)}">Turn both surfaces</a>
{first}
<h2>In numbers</h2>
<p>Each point of a picture is measured on a fixed part of the images, and the trained networks once on all of them:
the table says which is which. Distances are in filter lengths, the unit of the axes.</p>
<table>
<thead><tr><th></th>{heads}</tr></thead>
<tbody>{body}</tbody>
</table>
<p>How far this carries: a plane of two random directions, out of as many as a network has weights, shows what a typical
direction looks like, not the worst one, and it is one training run of each network. Believe what a second pair shows as
well, say that of <code>landscape demo --seed 1 -o second-demo</code>.</p>
{"".join(others)}
<h2>Your own network</h2>
<p>You need a checkpoint; a function that returns the network, here <code>make_net</code> in <code>nets.py</code>; and
one that returns the data as a Dataset, a DataLoader or a tuple of tensors, here <code>training_set</code> in
<code>data.py</code>. A click on a command selects it.</p>
{"".join(f"<h3>{escape(what)}</h3><pre>{escape(command)}</pre>" for what, command in OWN)}
<p>From Python, with a model and data in memory:</p>
<pre>{escape(PYTHON)}</pre>
<h2>Where to go on</h2>
<ul>
<li><a href="{escape(interactive)}">{escape(interactive)}</a>: both surfaces to turn, enlarge and read point by
point.</li>
<li>For a paper: {papers}.</li>
<li><code>landscape --help</code> lists the commands, <code>landscape evaluate --help</code> all that can be measured;
the guide is in <code>docs/</code> of the source, and <code>docs/reading.md</code> says how to read such a picture.</li>
<li>The idea: Li et al., <a href="https://arxiv.org/abs/1712.09913">Visualizing the Loss Landscape of Neural Nets</a>,
NeurIPS 2018.</li>
</ul>
<details><summary>Measure these again</summary>
<p>In this folder, which holds both checkpoints:</p>
{"".join(f"<pre>{escape(command)}</pre>" for command in commands)}
</details>
<footer>The digits are the UCI optical recognition set of Alpaydin and Kaynak (CC BY 4.0).</footer>
</main>
</body>
</html>
"""


# To copy, with names of one's own in them.
OWN = (
    (
        "Measure",
        "landscape evaluate net.pt --model nets.py:make_net --data train=data.py:training_set \\\n"
        "    --x=-1:1:31 --y=-1:1:31 --samples 1000 -o net.h5",
    ),
    ("Draw", "landscape plot net.h5 --kind surface -o net.png"),
    ("Turn it in a browser", "landscape view net.h5 -o net.html"),
    ("Ask how far to trust it", "landscape info net.h5"),
)
PYTHON = """import landscape

plane = landscape.random_plane(model, seed=0)
surface = landscape.evaluate(model, (x, y), plane, x="-1:1:31", y="-1:1:31", path="net.h5")
landscape.plot.save(surface, "net.png", kind="surface")"""


def _figure(picture: Picture) -> str:
    heading, alternative, words = _EXPLAINED[picture.kind]
    return (
        f'<h2>{escape(heading)}</h2><p>{escape(words)}</p><figure><a href="{escape(picture.wide)}"><picture>'
        f'<source media="(max-width: 700px)" srcset="{escape(picture.tall)}">'
        f'<img src="{escape(picture.wide)}" alt="{escape(alternative)}"></picture></a></figure>'
    )

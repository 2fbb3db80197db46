"""The demo's index.html: both networks side by side, their scores, and the commands that do it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_STYLE = r"""
:root {
  color-scheme: light dark;
  --ink: #1c2430; --soft: #5b6675; --line: #d9dee5; --ground: #ffffff; --card: #f6f8fa;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ecf1; --soft: #a3adba; --line: #333c48; --ground: #12161b; --card: #1b2129; }
}
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .6rem; }
h2 { font-size: 1.15rem; margin: 2.6rem 0 .7rem; }
p { max-width: 68ch; }
table { border-collapse: collapse; margin: 1.2rem 0; }
th, td { padding: .4rem 1rem .4rem 0; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
thead th { color: var(--soft); font-weight: 500; }
figure { margin: 0; }
figure img { display: block; width: 100%; height: auto; background: #fff; border-radius: 6px; }
figcaption { color: var(--soft); font-size: .85rem; margin-top: .5rem; max-width: 100ch; }
.note { border-left: 3px solid #d55e00; padding: .2rem 0 .2rem 1rem; }
.turn { display: inline-block; padding: .5rem 1rem; border-radius: 6px; background: var(--ink); color: var(--ground);
  text-decoration: none; }
.turn::after { content: " \2192"; }
pre { background: var(--card); padding: 1rem; border-radius: 6px; overflow-x: auto; font-size: .85rem; }
"""

_HEADINGS = {
    "surface.png": ("The loss around both networks", "a 3D surface of the training loss around each network"),
    "contour.png": ("The same planes from above", "contours of the training loss around each network"),
    "heatmap.png": ("Point by point", "a heat map of the training loss around each network"),
    "line.png": ("Along the first direction", "loss and accuracy along a line through each network"),
}


def demo_page(
    titles: Mapping[str, str],
    scores: Mapping[str, Mapping[str, float]],
    captions: Mapping[str, str],
    note: str,
    commands: Sequence[str],
    *,
    interactive: str = "",
) -> str:
    """Return the page as HTML; pictures are files beside it.

    Parameters
    ----------
    titles : mapping
        Network -> what it is called.
    scores : mapping
        Network -> loss and accuracy on all samples of both sets.
    captions : mapping
        Picture's file -> its caption.
    note : str
        What has to be said about networks that did not train; empty where all did.
    commands : sequence of str
        What makes the same surfaces again.
    interactive : str
        File of the page in which both can be turned; empty where there is none.
    """
    rows = "".join(
        f"<tr><td>{escape(titles[name])}</td><td>{100 * v['train/accuracy']:.1f} %</td>"
        f"<td>{100 * v['test/accuracy']:.1f} %</td><td>{v['train/loss']:.2g}</td><td>{v['test/loss']:.2g}</td></tr>"
        for name, v in scores.items()
    )
    figures = "".join(_figure(file, caption) for file, caption in captions.items())
    turn = f'<p><a class="turn" href="{escape(interactive)}">Turn both surfaces</a></p>' if interactive else ""
    remark = f'<p class="note">{escape(note)}</p>' if note else ""
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
<h1>Two loss landscapes, one scale</h1>
<p>The same 56-layer network, trained twice on 8 &times; 8 handwritten digits by the same recipe from the same initial
weights: once with shortcuts around every two layers, once without. All pictures share one scale, so heights compare.
Distances are filter lengths: 1 on an axis moves every filter by its own length.</p>
<table>
<thead>
<tr><th>network</th><th>train accuracy</th><th>test accuracy</th><th>train loss</th><th>test loss</th></tr>
</thead>
<tbody>{rows}</tbody>
</table>
{remark}
{turn}
{figures}
<h2>Do it again</h2>
<p>In this folder; the first argument is a checkpoint, so the same commands work on one of yours.</p>
<pre>{escape(chr(10).join(commands))}</pre>
<p>A random slice of a space of two hundred thousand dimensions shows what a typical direction looks like, not the worst
one: a saddle can hide from it. The digits are the UCI optical recognition set of Alpaydin and Kaynak (CC BY 4.0).</p>
</main>
</body>
</html>
"""


def _figure(file: str, caption: str) -> str:
    heading, alternative = _HEADINGS.get(file, (file, file))
    return (
        f'<h2>{escape(heading)}</h2><figure><img src="{escape(file)}" alt="{escape(alternative)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )

"""Accuracy against the cut-off of filters: which spatial frequencies carry the decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from landscape.surface.reports.frequencies import CHANGES, INPUTS, Frequencies

from ..style.style import HAIRLINE
from ..style.wording import one_line
from .curve_panels import COLOURS, curve_labels, draw_panels, draw_shares, finish_shares, of_each

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TITLES = {"low": "below the cut-off alone", "high": "above the cut-off alone"}


def frequencies(
    found: Frequencies | Sequence[Frequencies],
    *,
    labels: Sequence[str] | None = None,
    headline: str = "",
    caption: bool = True,
    size: str | float | Sequence[float] | None = None,
    font: str | None = None,
) -> Figure:
    """Draw accuracy against the cut-off: low-pass images on the left, high-pass ones on the right, a curve a network.

    Where changes by an attack were filtered, they are dashed.

    Parameters
    ----------
    found : Frequencies or sequence of them
    labels : sequence of str, optional
        Of several networks, a name each; by default their files'.
    headline, caption, size, font
        As of `landscape.plot.draw`.

    Returns
    -------
    Figure
        `landscape.plot.save` writes it.

    Raises
    ------
    UsageError
        There are not as many labels, or too many networks to be told apart.
    """
    several = [found] if isinstance(found, Frequencies) else list(found)
    names = curve_labels(several, labels)

    def panel(kind: str, change: str) -> Callable[[Axes], None]:
        return lambda ax: _panel(ax, several, names, kind, change)

    return draw_panels(
        [panel(*each) for each in zip(INPUTS, CHANGES, strict=True)],
        text=_caption(several, names),
        title="Frequencies that carry decisions",
        command=several[0].command,
        headline=one_line(headline),
        caption=caption,
        size=size,
        font=font,
    )


def _panel(ax: Axes, several: Sequence[Frequencies], names: Sequence[str], kind: str, change: str) -> None:
    for each, name, colour in zip(several, names, COLOURS, strict=False):
        own = "" if len(several) == 1 else f"{name}, "
        draw_shares(ax, each.cutoffs, each.accuracy(kind), each.interval(kind), colour, f"{own}images")
        if change in each.kinds:
            other = COLOURS[1] if len(several) == 1 else colour
            words = f"{own}changes by an attack"
            draw_shares(ax, each.cutoffs, each.accuracy(change), each.interval(change), other, words, (0, (4, 1.8)))
        if len(several) == 1:
            ax.axhline(100 * float(each.clean.mean()), color=HAIRLINE, lw=0.8, zorder=0)
    finish_shares(ax, _TITLES[kind], "cut-off (cycles an image)", max(float(each.cutoffs[-1]) for each in several))


def _caption(several: Sequence[Frequencies], names: Sequence[str]) -> str:
    """Return what a picture of filtered inputs has to say."""
    how = (
        "Radial cut-offs in the discrete Fourier transform, in cycles along the shorter side; each channel keeps its "
        "mean. Bands: 95 % intervals for the draw (Wilson)."
    )
    return f"{of_each([_measured(each) for each in several], names)} {how}"


def _measured(found: Frequencies) -> str:
    words = f"{found.samples:,} images of {one_line(found.data)}, {100 * found.clean.mean():.1f} % right unfiltered."
    if found.kinds == INPUTS:
        return words
    epsilon, norm = found.settings.get("epsilon"), found.settings.get("norm")
    attacked = 100 * found.attacked.mean()
    return (
        f"{words} Attack: PGD at {epsilon} ({norm}), {attacked:.1f} % right under all of it; parts of it are applied."
    )

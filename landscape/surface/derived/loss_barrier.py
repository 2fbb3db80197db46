"""How high the loss rises between two networks, above the straight line between their losses.

References
----------
.. [1] Goodfellow, Vinyals, Saxe, "Qualitatively Characterizing Neural Network Optimization Problems", ICLR 2015.
.. [2] Frankle, Dziugaite, Roy, Carbin, "Linear Mode Connectivity and the Lottery Ticket Hypothesis", ICML 2020,
       section 2.
"""

from __future__ import annotations

import numpy as np

from landscape.surface.grid import Floats
from landscape.surface.surface import COMPUTED, NOT_COMPUTED, Surface


def above_chord(surface: Surface, name: str) -> tuple[Floats, Floats, Floats] | None:
    """Return x from 0 to 1, the values there, and the straight line between the values at both ends, shape (n,) each.

    None unless it is a line that reaches another checkpoint, with points at 0 and at 1 and finite values all the way.
    """
    axis = surface.axes[0]
    if len(surface.axes) != 1 or not axis.reaches_checkpoint:
        return None
    inside = (axis.values > -1e-9) & (axis.values < 1 + 1e-9)
    x, values = axis.values[inside], surface[name][inside]
    known = np.isfinite(values) & (surface.state[inside] != NOT_COMPUTED)
    if len(x) < 3 or abs(x[0]) > 1e-9 or abs(x[-1] - 1) > 1e-9 or not known.all():
        return None
    return x, values, values[0] + (values[-1] - values[0]) * x


def barrier(surface: Surface, name: str) -> tuple[float, float] | None:
    """Return how far the values rise above the straight line from 0 to 1, and where, on a line between two networks.

    The height over the chord between both ends, as the interpolation of [1]_ shows it; for ends of one loss it is the
    instability of [2]_, which is measured from their mean. 0, at 0, where nothing rises. Of points that were measured:
    where others are interpolated the highest of them may be a little higher. None where it is not known, see
    `above_chord`.
    """
    found = above_chord(surface, name)
    if found is None:
        return None
    x, values, chord = found
    axis = surface.axes[0].values
    measured = surface.state[(axis > -1e-9) & (axis < 1 + 1e-9)] == COMPUTED
    k = int(np.argmax(np.where(measured, values - chord, -np.inf)))
    height = float(values[k] - chord[k])
    return (height, float(x[k])) if height > 0 else (0.0, 0.0)

"""The file of walks along the gradient of a run's records. This text is its specification.

Version 1, of the layout in `landscape.files.reports.report_layout`, kind "landscape walk", with the fields of
`landscape.surface.reports.gradient_walks.GradientWalks`:

* JSON: all fields that are no arrays;
* arrays: steps (n,) int64; rates, gradients (n,), multiples (m,), losses (n, 1 + m) and changes (n, m) float64. A rate
  is NaN where a record has none above 0, where all but the loss and the gradient at the record itself is NaN, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from landscape.errors import FormatError
from landscape.files.reports.report_layout import Array, Layout, about_fields, required
from landscape.surface.reports.gradient_walks import GradientWalks

_TEXTS = ("data", "run", "unit", "software", "created", "command")


def _parsed(plain: dict[str, Any], arrays: dict[str, Array], path: str) -> GradientWalks:
    steps = required(arrays, "steps", np.int64, (-1,))
    if not len(steps):
        raise FormatError("it holds no steps")
    number = len(steps)
    multiples = required(arrays, "multiples", np.float64, (-1,))
    if not len(multiples) or not np.isfinite(multiples).all() or not multiples.all():
        raise FormatError("its multiples of a step are no numbers other than 0")
    rates = required(arrays, "rates", np.float64, (number,))
    if not (np.isnan(rates) | ((rates > 0) & np.isfinite(rates))).all() or np.isnan(rates).all():
        raise FormatError("its learning rates are no numbers above 0")
    return GradientWalks(
        steps=steps,
        rates=rates,
        multiples=multiples,
        losses=required(arrays, "losses", np.float64, (number, 1 + len(multiples))),
        gradients=required(arrays, "gradients", np.float64, (number,)),
        changes=required(arrays, "changes", np.float64, (number, len(multiples))),
        **about_fields(plain, _TEXTS),
        path=path,
    )


WALK = Layout("landscape walk", 1, _parsed)
is_walk, write_walk, read_walk = WALK.recognises, WALK.write, WALK.read

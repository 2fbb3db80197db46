"""The frequencies file: answers for filtered inputs. This text is its specification.

Version 1, of the layout in `landscape.files.reports.report_layout`, kind "landscape frequencies", with the fields of
`landscape.surface.reports.frequencies.Frequencies`:

* JSON: kinds (a list of text) and all other fields that are no arrays;
* arrays: cutoffs, energy, change_energy (k,), clean_loss (n,) and loss (kinds, k, n) float64; numbers (n,) int64;
  clean, attacked (n,) and right (kinds, k, n) uint8.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from landscape.errors import FormatError
from landscape.files.reports.report_layout import Array, Layout, about_fields, required
from landscape.surface.reports.frequencies import CHANGES, INPUTS, Frequencies

_TEXTS = ("data", "software", "created", "command")


def _parsed(plain: dict[str, Any], arrays: dict[str, Array], path: str) -> Frequencies:
    kinds = tuple(plain["kinds"])
    if kinds not in (INPUTS, (*INPUTS, *CHANGES)):
        raise FormatError("it filters neither inputs nor changes")
    cutoffs = required(arrays, "cutoffs", np.float64, (-1,))
    if len(cutoffs) < 2 or not (np.diff(cutoffs, prepend=-1e-300) > 0).all() or not np.isfinite(cutoffs).all():
        raise FormatError("its cut-offs are no ascending numbers")
    numbers = required(arrays, "numbers", np.int64, (-1,))
    if not len(numbers):
        raise FormatError("it holds no samples")
    highest = plain["highest"]
    if not isinstance(highest, float) or not 0 < highest < 1e12:
        raise FormatError("its highest frequency is no number")
    number, samples = len(cutoffs), len(numbers)
    return Frequencies(
        cutoffs=cutoffs,
        highest=highest,
        kinds=kinds,
        clean=required(arrays, "clean", np.uint8, (samples,)).astype(bool),
        clean_loss=required(arrays, "clean_loss", np.float64, (samples,)),
        right=required(arrays, "right", np.uint8, (len(kinds), number, samples)).astype(bool),
        loss=required(arrays, "loss", np.float64, (len(kinds), number, samples)),
        attacked=required(arrays, "attacked", np.uint8, (samples,)).astype(bool),
        energy=required(arrays, "energy", np.float64, (number,)),
        change_energy=required(arrays, "change_energy", np.float64, (number,)),
        numbers=numbers,
        **about_fields(plain, _TEXTS),
        path=path,
    )


FREQUENCIES = Layout("landscape frequencies", 1, _parsed)
is_frequencies, write_frequencies, read_frequencies = FREQUENCIES.recognises, FREQUENCIES.write, FREQUENCIES.read

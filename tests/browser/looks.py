"""How pictures of a page are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from browser.conftest import Opened

Open = Callable[..., Opened]


def differ(first: Any, second: Any) -> float:
    """Mean difference of two pictures, 0 to 255."""
    return float(np.abs(first - second).mean())

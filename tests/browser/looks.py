"""How pictures of a page are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from browser.conftest import Opened

Open = Callable[..., Opened]
# Two screens and a phone.
SIZES = pytest.mark.parametrize("size", [(1440, 900), (1280, 720), (390, 844)], ids=lambda size: f"{size[0]}x{size[1]}")
# What hardly depends on the size: a desktop and the phone.
TWO_SIZES = pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=lambda size: f"{size[0]}x{size[1]}")


def differ(first: Any, second: Any) -> float:
    """Mean difference of two pictures, 0 to 255."""
    return float(np.abs(first - second).mean())

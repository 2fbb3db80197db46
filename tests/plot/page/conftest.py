"""What the tests of this room share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def poster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no picture for where nothing runs: it takes most of a page's time. Tests of it undo this."""
    monkeypatch.setattr("landscape.plot.page.poster.draw_poster", lambda *_: b"\x89PNG")

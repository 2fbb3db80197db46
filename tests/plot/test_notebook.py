"""What a surface shows of itself in a notebook."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from html.parser import HTMLParser

import numpy as np
from landscape.plot.notebook import _rows
from PIL import Image

from tests.helpers.curvatures import curvature
from tests.helpers.plot_fixtures import damaged_valley, half_finished_valley, line_surface, repeated, valley


class Tags(HTMLParser):
    """Collects the tags and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def image_of(html):
    data = re.search(r'src="data:image/png;base64,([^"]+)"', html)[1]
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_surface_shows_a_table_and_a_picture():
    html = damaged_valley()._repr_html_()
    texts = Tags(html).texts
    for expected in ("resnet20", "runs/net.pt", "31 points, −1 to 1.2", "1,000 of 50,000 samples (seed 3)"):
        assert expected in texts
    assert any(text.endswith("13 not finite") for text in texts)
    assert image_of(html).size[0] > 400


def test_lines_and_repetitions_show_themselves_too():
    assert image_of(line_surface()._repr_html_()).size[0] > 400
    assert "5 seeds" in Tags(repeated(valley())._repr_html_()).texts


def test_a_surface_half_done_says_how_far_it_is():
    assert "49.9 % of the points" in Tags(half_finished_valley()._repr_html_()).texts


def test_nothing_in_a_file_becomes_html():
    hostile = '"><script>alert(1)</script>'
    surface = dataclasses.replace(valley(), title=hostile, origin={"checkpoint": hostile})
    tags = Tags(surface._repr_html_())
    assert "script" not in tags.tags
    assert hostile in tags.texts


def test_what_cannot_be_drawn_is_a_table_and_a_reason():
    surface = valley()
    values = {"train/loss": np.full(surface.shape, np.nan)}
    html = dataclasses.replace(surface, values=values)._repr_html_()
    assert "img" not in Tags(html).tags
    assert any("nothing to draw" in text for text in Tags(html).texts)
    assert "none finite, 713 not finite" in Tags(html).texts


def test_a_report_of_curvature_shows_its_verdict_its_numbers_and_a_picture():
    report = dataclasses.replace(curvature(), data="<b>train", verdict="Saddle: <script>.")
    html = report._repr_html_()
    tags = Tags(html)
    assert "script" not in tags.tags
    assert "b" not in tags.tags
    text = "".join(tags.texts)
    for expected in ("Saddle: <script>.", "on 500 samples of <b>train", "9 (residual 0.001)"):
        assert expected in text
    assert "-0.8 (residual 0.2, not converged)" in text
    assert image_of(html).size[0] > 500


def test_what_is_still_to_come_is_not_called_not_finite():
    assert "not finite" not in dict(_rows(half_finished_valley()))["train/loss"]
    assert dict(_rows(damaged_valley()))["train/loss"].endswith(", 13 not finite")

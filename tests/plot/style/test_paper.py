"""Figures for one's own paper: exactly as large as asked for, in the font and the sizes of the rest of it."""

from __future__ import annotations

import matplotlib
import matplotlib.pyplot as plt
import pytest
from landscape.plot.figures import draw
from landscape.plot.lines.line_figures import line
from landscape.plot.planes.contours import contour
from landscape.plot.planes.heatmaps import heatmap
from landscape.plot.saving import save
from landscape.plot.style.paper import WIDTHS, page_size
from matplotlib.text import Text
from PIL import Image

from landscape.commands.shown.plot import VENUES
from landscape.errors import UsageError
from landscape.files.store import write_surface
from tests.helpers.plot_fixtures import interpolation, line_surface, valley


def looks_of(figure):
    """Return family and size of every text that is written."""
    texts = [each for each in figure.findobj(Text) if each.get_text().strip() and each.get_visible()]
    return {tuple(each.get_fontfamily()) for each in texts}, [each.get_fontsize() for each in texts]


@pytest.mark.parametrize(
    ("given", "size"),
    [
        (None, None),
        ("NeurIPS", (5.5, None)),
        ("icml", (3.25, None)),
        ("5.5x3", (5.5, 3.0)),
        ("5.5", (5.5, None)),
        (4, (4.0, None)),
        ((4, 2.5), (4.0, 2.5)),
    ],
)
def test_sizes_are_inches_or_the_width_of_a_venue(given, size):
    assert page_size(given) == size


@pytest.mark.parametrize("given", ["nature", "5x", "0x3", "nan", "3x4x5", (1,) * 3, "-5x2", "900x3"])
def test_what_is_no_size_is_refused_with_those_there_are(given):
    with pytest.raises(UsageError, match=r"such as 5\.5x3.*neurips, iclr"):
        page_size(given)


def test_the_command_knows_the_venues_that_there_are():
    assert tuple(WIDTHS) == VENUES


@pytest.mark.parametrize("surface", [valley(15, 11), interpolation()])
@pytest.mark.parametrize("size", [(3.25, 2.5), (5.5, 3.0), (5.5, 8.0)])
def test_a_picture_is_exactly_as_large_as_asked_for(surface, size, tmp_path):
    path = save(surface, tmp_path / "a.png", size=size, caption=False, dpi=100)
    with Image.open(path) as image:
        assert image.size == (100 * size[0], 100 * size[1])


def test_letters_and_lines_follow_the_size_down_to_what_can_be_read():
    sizes, widths = [], []
    for width in (2.5, 3.25, 5.5, 11.0):
        figure = draw(line_surface(9), size=width)
        sizes.append(min(looks_of(figure)[1]))
        widths.append(figure.axes[0].lines[-1].get_linewidth())
    assert sizes[0] == sizes[1] == pytest.approx(6.0 / 7.0 * 6.8)  # the caption, beside ticks of 6 points
    assert sizes[2] == pytest.approx(6.8)
    assert sizes[3] == pytest.approx(6.8 * 2**0.5)
    assert widths == sorted(widths)
    with pytest.raises(UsageError, match="no room for 1 panel"):
        draw(valley(9, 7), size=(1.0, 1.0))


def test_every_text_has_the_users_font_and_sizes():
    with matplotlib.rc_context({"font.family": "serif", "font.serif": ["DejaVu Serif"], "font.size": 11.0}):
        for surface in (valley(15, 11), line_surface(9)):
            families, sizes = looks_of(draw(surface))
            assert {each[0] for each in families} == {"DejaVu Serif"}
            assert max(sizes) >= 11.0
    families, _ = looks_of(draw(valley(15, 11), font="DejaVu Sans Mono"))
    assert {each[0] for each in families} == {"DejaVu Sans Mono"}
    with pytest.raises(UsageError, match=r"no font .DejaVu Sens.*DejaVu Sans"):
        draw(valley(9, 7), font="DejaVu Sens")


@pytest.mark.parametrize("layout", [None, "constrained"])
def test_in_ones_own_axes_texts_agree_and_the_bar_is_as_tall_as_its_map(layout):
    with matplotlib.rc_context({"font.family": "DejaVu Serif", "axes.labelsize": 9.0, "xtick.labelsize": 8.0}):
        figure, axes = plt.subplots(1, 3, figsize=(12, 3), layout=layout)
    contour(valley(15, 11), ax=axes[0])
    heatmap(valley(15, 11), "train/accuracy", ax=axes[1])
    line(line_surface(9), ax=axes[2])
    figure.canvas.draw()
    bars = [ax for ax in figure.axes if ax.get_label() == "colorbar"]
    for ax, bar in zip(axes, bars, strict=False):
        place, beside = ax.get_position(), bar.get_position()
        assert (beside.y0, beside.y1) == pytest.approx((place.y0, place.y1))
        assert 0 < beside.x0 - place.x1 < 0.02
        assert bar.yaxis.label.get_fontsize() == ax.xaxis.label.get_fontsize() == 9.0
    assert {family[0] for family in looks_of(figure)[0]} == {"DejaVu Serif"}
    # Nothing of one panel falls on the next: neither the bar's texts nor the legend, which stands inside.
    for ax, bar in zip(axes[1:], bars, strict=True):
        assert bar.get_tightbbox().x1 < ax.get_window_extent().x0
    legend = next(ax.get_legend() for ax in figure.axes if ax.get_legend())
    frame, inside = axes[2].get_window_extent(), legend.get_window_extent()
    assert frame.x0 <= inside.x0 < inside.x1 <= frame.x1
    assert frame.y0 <= inside.y0 < inside.y1 <= frame.y1
    plt.close(figure)


def test_every_plot_takes_the_name_of_a_file(tmp_path):
    write_surface(tmp_path / "plane.h5", valley(9, 7))
    write_surface(tmp_path / "line.h5", line_surface(9))
    _, ax = plt.subplots()
    assert contour(tmp_path / "plane.h5", ax=ax) is heatmap(str(tmp_path / "plane.h5"), ax=ax, colorbar=False)
    assert line(tmp_path / "line.h5", ax=plt.figure().add_subplot()).get_xlabel() == "α  (random direction 1)"
    plt.close("all")
    assert len(draw([tmp_path / "plane.h5", str(tmp_path / "plane.h5")]).axes) == 3
    assert save(tmp_path / "plane.h5", tmp_path / "plane.svg").stat().st_size > 0


def test_widths_are_those_of_the_venues_style_files_and_instructions():
    inches = {"neurips": 5.5, "iclr": 5.5, "jmlr": 6, "icml": 3.25, "icml-wide": 6.75, "cvpr": 3.25, "cvpr-wide": 6.875}
    assert {**inches, "single": 3.25, "double": 6.75} == WIDTHS

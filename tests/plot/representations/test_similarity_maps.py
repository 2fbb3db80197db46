"""What a map of layers shows where, read from its artists."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from landscape.plot.representations.similarity_maps import caption_of
from landscape.plot.style.fields import recall
from landscape.plot.style.style import our_style

import landscape
from landscape.errors import PlotError, UsageError
from tests.helpers.pictures import assert_readable
from tests.helpers.similarities import called_twice, similarity


def axes_of(figure, gid):
    return [ax for ax in figure.axes if ax.get_gid() == gid]


def test_each_network_and_each_pair_has_a_map_with_the_input_at_the_lower_left():
    found = similarity(networks=2)
    figure = landscape.plot.similarity(found)
    maps = axes_of(figure, "map")
    for ax, pair in zip(maps, [(0, 0), (1, 1), (0, 1)], strict=True):
        image = ax.images[0]
        np.testing.assert_array_equal(image.get_array(), found.between(*pair))
        assert image.origin == "lower"
        assert image.get_clim() == maps[0].images[0].get_clim()
        dots = [each for each in ax.lines if each.get_gid() == "nearest"]
        assert len(dots) == (pair[0] != pair[1])
        for each in dots:  # in each row, a layer of the first network, at the most similar one of the second
            np.testing.assert_array_equal(each.get_ydata(), np.arange(len(found.between(*pair))))
            np.testing.assert_array_equal(each.get_xdata(), found.between(*pair).argmax(1))
            assert (each.get_xdata() != each.get_ydata()).any()


def test_the_scale_goes_on_below_0_and_above_1_where_values_do():
    found = similarity()
    cka = found.cka.copy()
    cka[0, 1], cka[1, 0] = -0.25, 1.125
    figure = landscape.plot.similarity(dataclasses.replace(found, cka=cka))
    assert axes_of(figure, "map")[0].images[0].get_clim() == (-0.25, 1.125)


def test_the_block_is_outlined_where_it_is_and_named():
    found = similarity(networks=1)
    figure = landscape.plot.similarity(found)
    (frame,) = [patch for patch in axes_of(figure, "map")[0].patches if patch.get_gid() == "block"]
    block = found.blocks[0]
    assert frame.get_xy() == (block.first - 0.5, block.first - 0.5)
    assert frame.get_width() == block.extent
    assert any(f"block of {block.extent} layers" in text.get_text() for text in figure.texts)


def test_ticks_are_stages_not_layers():
    ax = axes_of(landscape.plot.similarity(similarity(networks=1)), "map")[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["stem", "stage1", "stage2"]
    found = similarity(networks=1)
    found = dataclasses.replace(found, pc_share_stderr=np.full_like(found.pc_share, 0.05))
    (bars,) = axes_of(landscape.plot.similarity(found), "bars")
    np.testing.assert_allclose([bar.get_height() for bar in bars.patches], found.pc_share)
    ends = [(segment[0][1], segment[1][1]) for segment in bars.collections[0].get_segments()]
    np.testing.assert_allclose(ends, np.clip([found.pc_share - 0.05, found.pc_share + 0.05], 0, 1).T)


def test_numbers_of_the_bars_stand_beside_them_and_not_beside_the_map_below():
    figure = landscape.plot.similarity(similarity(networks=1))
    figure.canvas.draw()
    (bars,) = axes_of(figure, "bars")
    zero, one = (label.get_window_extent() for label in bars.get_yticklabels())
    assert bars.bbox.y0 - 1 <= zero.y0 < zero.y1 < one.y0 < one.y1 <= bars.bbox.y1 + 1


def test_many_networks_are_each_layer_against_itself_in_one_of_them():
    found = similarity(networks=5)
    first, second, *others = map(called_twice, found.networks)
    turned = dataclasses.replace(second, layers=second.layers[::-1], calls=second.calls[::-1])
    found = dataclasses.replace(found, networks=(first, turned, *others))
    image = axes_of(landscape.plot.similarity(found), "map")[0].images[0]
    wanted = np.stack([np.diagonal(found.between(k, 4)[:: -1 if k == 1 else 1]) for k in range(5)])
    np.testing.assert_array_equal(image.get_array(), wanted.T)


def test_networks_that_are_named_are_a_grid_of_all_pairs_however_many():
    found = similarity(networks=6)
    maps = axes_of(landscape.plot.similarity(found, networks=list("fabcd")), "map")
    order = [5, 0, 1, 2, 3]
    pairs = [(k, k) for k in order] + [(order[i], order[j]) for i in range(5) for j in range(i + 1, 5)]
    for ax, pair in zip(maps, pairs, strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), found.between(*pair))


def test_a_caption_counts_the_networks_that_are_drawn():
    found = similarity(networks=6)
    layers = sum(len(found.networks[k].layers) for k in (1, 3))
    few = caption_of(found, shown=[1, 3])
    assert f" of {layers} layers of 2 of the 6 networks" in few
    assert "of 6 networks" in caption_of(found)
    cka, stderr = found.cka.copy(), found.stderr.copy()
    cka[0, 0], stderr[0, 1] = np.nan, 0.7
    bad = dataclasses.replace(found, cka=cka, stderr=stderr)
    alone = recall(landscape.plot.similarity(found, networks=["b"], against="d"))["Description"]
    assert f" of {layers} layers of 2 of the 6 networks" in " ".join(alone.split())
    assert f" of {layers // 2} layers of 1 of the 6 networks" in caption_of(found, shown=[1])
    assert "Grey" not in caption_of(bad, shown=[1, 3])
    assert "Grey: 1 layer " in caption_of(bad, shown=[0, 3])
    assert ["at most 0.7" in caption_of(bad, shown=shown) for shown in ([1, 3], [0, 3])] == [False, True]
    one_block = dataclasses.replace(found, blocks=(None, None, found.blocks[2], None, None, None))
    assert ["Outlined" in caption_of(one_block, shown=shown) for shown in ([1, 3], [1, 2])] == [False, True]


def test_names_and_titles_of_all_networks_have_room():
    found = similarity()
    long = tuple(f"a.stage.with.a.long.name.{each}" for each in found.networks[1].layers)
    second = dataclasses.replace(found.networks[1], name="a network with many words in its name", layers=long)
    blocks = (None, found.blocks[1])
    for networks, order in (((found.networks[0], second), "ab"), ((second, found.networks[0]), "ba")):
        named = dataclasses.replace(found, networks=networks, blocks=blocks if order == "ab" else blocks[::-1])
        figure = landscape.plot.similarity(named, size=4.5)
        with our_style():
            assert_readable(figure)
        said = " ".join(" ".join(text.get_text().split()) for text in figure.texts)
        assert second.name in said
        assert "…" not in said


def test_what_is_not_there_is_refused():
    found = similarity()
    with pytest.raises(UsageError, match="there are a, b"):
        landscape.plot.similarity(found, networks=["c"])
    with pytest.raises(UsageError, match="no values 'procrustes'"):
        landscape.plot.similarity(found, values="procrustes")
    with pytest.raises(PlotError, match=r"no value of CKA is finite: there is nothing to draw"):
        landscape.plot.similarity(dataclasses.replace(found, cka=np.full_like(found.cka, np.nan)))


def test_a_picture_is_as_wide_as_the_papers_text():
    figure = landscape.plot.similarity(similarity(), size="neurips")
    assert figure.get_size_inches()[0] == pytest.approx(5.5)


def test_dominant_samples_are_shown_with_the_layers_they_dominate_and_their_overlap_can_be_drawn():
    found = similarity()
    dominant = np.arange(found.dominant.size).reshape(found.dominant.shape)
    dominant[1, 0] = dominant[20, 2] = 0
    images = np.zeros((2, 1, 4, 4), np.float32)
    images[0, 0, 0, 3] = 1.0
    found = dataclasses.replace(found, dominant=dominant, images=images, pictured=(0, 5), labels=(7, 3))
    figure = landscape.plot.similarity(found)
    shown = axes_of(figure, "dominant")
    np.testing.assert_array_equal([ax.images[0].get_array() for ax in shown], images[:, 0])
    coloured = (np.random.default_rng(0).random((2, 3, 4, 4)) < 0.5).astype(np.float32)
    shown = axes_of(landscape.plot.similarity(dataclasses.replace(found, images=coloured)), "dominant")
    np.testing.assert_array_equal([ax.images[0].get_array() for ax in shown], np.moveaxis(coloured, 1, -1))
    said = [text.get_text() for text in figure.texts]
    assert "7\n2 | 1" in said
    assert "3\n1 | 0" in said
    overlap = axes_of(landscape.plot.similarity(found, values="overlap"), "map")[0].images[0].get_array()
    assert overlap[0, 1] == pytest.approx(1 / 3)
    assert not axes_of(landscape.plot.similarity(found, values="stderr"), "dominant")


def test_the_caption_gives_all_reasons_for_grey_layers():
    found = similarity()
    cka = found.cka.copy()
    cka[0] = cka[:, 0] = np.nan
    said = caption_of(dataclasses.replace(found, cka=cka))
    assert "Grey: 1 layer without variance, different in one sample alone, not finite, or called as often as" in said

"""A headline above, and below what was measured, from the top line to the last."""

from __future__ import annotations

import pytest
from landscape.plot.style.fields import recall
from landscape.plot.style.framed import Frame, page_style
from landscape.plot.style.style import look, our_style, text_width
from matplotlib.figure import Figure

TEXT = " ".join(f"word{number}" for number in range(40))


def test_lines_are_written_downwards_below_the_panels_and_a_dollar_is_a_dollar():
    with our_style():
        frame = Frame.of(f"$1 {TEXT} $2", 4.0, "Head $3", True)
        figure = frame.write(Figure(figsize=(4.0, 3.0)), "Curves", "landscape plot")
        head, *lines = figure.texts
        assert head.get_text() == "Head $3"
        assert " ".join(line.get_text() for line in lines) == f"$1 {TEXT} $2"
        heights = [line.get_position()[1] * 3.0 for line in lines]
        assert heights == sorted(heights, reverse=True)
        assert 0 < heights[-1] < heights[0] < frame.foot
        assert not any(line.get_parse_math() for line in lines)
        assert head.get_position()[1] > 1 - frame.head / 3.0
    assert recall(figure) == {"Title": "Head $3", "Description": f"$1 {TEXT} $2", "Command": "landscape plot"}


def test_without_headline_and_caption_there_is_no_room_for_them_and_the_file_says_it_all_the_same():
    with our_style():
        frame = Frame.of(TEXT, 4.0, "", False, bare=0.11)
        assert (frame.lines, frame.head, frame.foot) == ([], 0.11, 0.02)
        figure = frame.write(Figure(), "Curves", "x")
    assert not figure.texts
    assert recall(figure) == {"Title": "Curves", "Description": TEXT, "Command": "x"}


@pytest.mark.parametrize("fill", [1.0, 0.6])
def test_lines_fill_as_much_of_the_width_as_was_asked_for(fill):
    with our_style():
        lines = Frame.of(TEXT, 4.0, "", True, fill=fill).lines
        widest = max(text_width(line, look().caption) for line in lines)
    assert 0.85 * fill * 3.8 < widest <= fill * 3.8


def test_letters_are_those_of_the_width_that_was_asked_for():
    with page_style(None, None) as page:
        assert page is None
        usual = look().caption
    with page_style((2.5, 3.0), None) as page:
        assert page == (2.5, 3.0)
        assert look().caption < usual

"""What frames the panels of a picture that is of no surface: a headline above, below what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .fields import remember
from .paper import page_size
from .style import Look, look, our_style, wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Width and height in inches, as somebody asks for them: without a height, the one that suits the width.
Page = tuple[float, float | None] | None


@contextmanager
def page_style(size: str | float | Sequence[float] | None, font: str | None) -> Iterator[Page]:
    """Give the page of a size, whose letters and lines are those of its width while it is drawn."""
    page = page_size(size)
    with our_style(Look.of_settings(font, page[0] if page else None)):
        yield page


@dataclass(frozen=True)
class Frame:
    """The words above and below, and the room they take, in inches."""

    headline: str
    text: str  # what was measured, in the file's metadata in any case
    lines: Sequence[str]  # of it, as they are written below; none without a caption
    head: float
    foot: float

    @classmethod
    def of(
        cls, text: str, width: float, headline: str, caption: bool, *, bare: float = 0.04, fill: float = 1.0
    ) -> Frame:
        """Break the text into lines of a figure so wide; ``bare`` is the room above without a headline.

        Lines ``fill`` so much of the width.
        """
        lines = wrapped(text, fill * (width - 0.2), look().caption) if caption else []
        head = 0.3 * look().factor if headline else bare
        return cls(headline, text, lines, head, len(lines) * _line() + (0.16 if lines else 0.02))

    def write(self, figure: Figure, title: str, command: str) -> Figure:
        """Write the words, and keep what the figure's file says of it; ``title`` where there is no headline."""
        width, height = figure.get_size_inches()
        if self.headline:
            figure.text(
                0.1 / width, 1 - 0.06 / height, self.headline, va="top", fontsize=look().title, fontweight="bold"
            )
        for number, words in enumerate(self.lines):
            y = (0.08 + _line() * (len(self.lines) - 1 - number)) / height
            figure.text(0.1 / width, y, words, fontsize=look().caption, va="bottom", parse_math=False)
        remember(figure, {"Title": self.headline or title, "Description": self.text, "Command": command})
        return figure


def _line() -> float:
    return look().caption * 1.32 / 72

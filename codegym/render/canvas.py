"""Canvas for pictures of programs: rectangles, and text on a grid."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

Colour = tuple[int, int, int]
_OVERSAMPLING = 4
_GLYPHS = "".join(map(chr, range(33, 127))) + "…·"


class Canvas:
    """Image to draw on; parts outside of it are cut off.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        colour: Colour of the background.
    """

    def __init__(self, width: int, height: int, colour: Colour) -> None:
        self.pixels: npt.NDArray[np.uint8] = np.empty((height, width, 3), np.uint8)
        self.pixels[:] = colour

    def rectangle(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """Fill a rectangle.

        Args:
            x: Left edge in pixels.
            y: Upper edge in pixels.
            width: Width in pixels.
            height: Height in pixels.
            colour: Colour of the rectangle.
        """
        left, top = max(0, round(x)), max(0, round(y))
        self.pixels[top : max(0, round(y + height)), left : max(0, round(x + width))] = colour

    def text(self, x: int, y: int, text: str, colour: Colour, size: int) -> int:
        """Write ``text`` and return the position of its right edge.

        Args:
            x: Left edge in pixels.
            y: Upper edge in pixels.
            text: Text of one line.
            colour: Colour of the text.
            size: Height of the font in pixels.
        """
        end = x + cell_width(size) * len(text)
        if text:
            glyphs = _glyphs(size)
            mask = np.hstack([glyphs.get(char, glyphs["?"]) for char in text])
            mask = mask[:, max(0, -x) :]
            ground = self.pixels[y : y + mask.shape[0], max(0, x) : max(0, end)]
            mask = mask[: ground.shape[0], : ground.shape[1], None]
            ground[:] = ground + (np.array(colour, np.float32) - ground) * mask + 0.5
        return end

    def text_up_to(self, x: int, y: int, text: str, colour: Colour, size: int) -> int:
        """Write ``text`` so that it ends at ``x``, and return the position of its left edge.

        Args:
            x: Right edge in pixels.
            y: Upper edge in pixels.
            text: Text of one line.
            colour: Colour of the text.
            size: Height of the font in pixels.
        """
        begin = x - cell_width(size) * len(text)
        self.text(begin, y, text, colour, size)
        return begin


def cell_width(size: int) -> int:
    """Return the width of one character in pixels, for a font of ``size``."""
    return round(size * 0.57)


@functools.cache
def _glyphs(size: int) -> dict[str, npt.NDArray[np.float32]]:
    """Return the coverage of every character, 0 to 1, each in a cell of the same size.

    The only font that comes with Pillow is proportional. Wide letters are condensed and narrow ones centred, as in a
    monospaced font. They are drawn in a larger size first, so that condensed letters stay sharp.
    """
    try:
        from PIL import ImageFont
    except ImportError as error:
        raise ImportError("an image of an episode needs Pillow: pip install 'codegym[render]'") from error
    font = ImageFont.load_default(size * _OVERSAMPLING)
    cells = {char: _cell(char, font, size) for char in _GLYPHS}
    return cells | {" ": np.zeros_like(cells["?"])}


def _cell(char: str, font: FreeTypeFont | ImageFont, size: int) -> npt.NDArray[np.float32]:
    from PIL import Image, ImageDraw

    width, height = cell_width(size), round(size * 1.35)
    left, _, right, _ = font.getbbox(char)
    glyph = Image.new("L", (round(right - left), height * _OVERSAMPLING))
    ImageDraw.Draw(glyph).text((-left, 0), char, fill=255, font=font)
    room = (width - 1) * _OVERSAMPLING
    if glyph.width > room:
        glyph = glyph.resize((room, glyph.height), Image.Resampling.LANCZOS)
    cell = Image.new("L", (width * _OVERSAMPLING, glyph.height))
    cell.paste(glyph, ((cell.width - glyph.width) // 2, 0))
    return np.asarray(cell.resize((width, height), Image.Resampling.LANCZOS), np.float32) / np.float32(255)

"""An episode as an image."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest
from hypothesis import given
from render.views import FAILED, make_view, program_of, views

from codegym.judge import Status, Verdict
from codegym.render import rgb_array
from codegym.render.canvas import Canvas, _glyphs
from codegym.render.image import BAR, EARNS, LOSES, PAD


def num_pixels(image: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((image == colour).all(axis=-1).sum())


def test_smallest_image() -> None:
    image = rgb_array(make_view())
    assert (image.shape, image.dtype) == ((640, 960, 3), np.uint8)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50


def test_frames_keep_their_size_and_are_even() -> None:
    shapes = {rgb_array(view).shape for view in (make_view((), ended=False), make_view(), make_view(verdict=FAILED))}
    assert shapes == {(640, 960, 3)}
    assert rgb_array(make_view(), size=(480, 320)).shape == (320, 480, 3)


@pytest.mark.parametrize("size", [(961, 640), (960, 641), (100, 640), (960, 100)])
def test_sizes_that_make_no_video_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected even numbers, at least 480 x 320"):
        rgb_array(make_view(), size=size)


def test_earning_and_losing_differ() -> None:
    up, down = (rgb_array(make_view(program_of("x = 1\n", reward=reward))) for reward in (1.0, -1.0))
    assert num_pixels(up, EARNS) > 0 == num_pixels(up, LOSES)
    assert num_pixels(down, LOSES) > 0 == num_pixels(down, EARNS)


def test_bars_differ_in_side_for_those_who_see_no_colour() -> None:
    middle = PAD + BAR
    for reward, colour, bar, empty in [(1.0, EARNS, 1, -9), (-1.0, LOSES, -9, 1)]:
        image = rgb_array(make_view(program_of("x = 1\n", reward=reward)))
        assert num_pixels(image[:, middle + bar : middle + bar + 8], colour) == 8 * 10
        assert num_pixels(image[:, middle + empty : middle + empty + 8], colour) == 0


def test_checks_differ_in_shape() -> None:
    images = [
        rgb_array(make_view(verdict=Verdict(status, (status,) * 3))) for status in (Status.PASSED, Status.TIMEOUT)
    ]
    passed, failed = images
    assert num_pixels(passed[500:], EARNS) > num_pixels(failed[500:], LOSES)


def test_an_image_is_the_same_every_time() -> None:
    assert np.array_equal(rgb_array(make_view(verdict=FAILED)), rgb_array(make_view(verdict=FAILED)))


def test_the_end_of_a_long_program_is_shown_in_bounded_time() -> None:
    program = program_of(*["x\n"] * 5000)
    rgb_array(make_view(program))
    start = time.process_time()
    image = rgb_array(make_view(program, ended=False, open_line="y"))
    assert time.process_time() - start < 1
    other = rgb_array(make_view(program, ended=False, open_line="z"))
    assert not np.array_equal(image, other)


def test_text_is_on_a_grid_and_cut_at_the_edges() -> None:
    assert {glyph.shape for glyph in _glyphs(15).values()} == {(20, 9)}
    canvas = Canvas(40, 20, (0, 0, 0))
    for x, y in ((-5, 0), (30, 10), (-500, 0), (500, 500)):
        canvas.text(x, y, "wide text", (255, 255, 255), 15)
    assert canvas.pixels.shape == (20, 40, 3)
    assert canvas.pixels.max() > 128


def test_every_printable_character_looks_different() -> None:
    glyphs = _glyphs(15)
    assert len({glyph.tobytes() for glyph in glyphs.values()}) == len(glyphs)


def test_a_missing_pillow_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _glyphs.cache_clear()
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"codegym\[render\]"):
        rgb_array(make_view())


@given(views())
def test_any_view_can_be_drawn(view) -> None:
    assert rgb_array(view).shape == (640, 960, 3)
    assert rgb_array(view, size=(480, 320)).shape == (320, 480, 3)

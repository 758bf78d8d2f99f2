"""Pictures of an episode: text for a terminal, images for videos, and web pages, all made from one ``View``."""

from codegym.render.image import rgb_array
from codegym.render.page import html, save_html
from codegym.render.terminal import ansi
from codegym.render.view import View

__all__ = ["View", "ansi", "html", "rgb_array", "save_html"]

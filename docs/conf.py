"""How Sphinx builds these pages; ``make docs`` does."""

from __future__ import annotations

from notary import __version__

project = "txnotary"
author = "the authors of txnotary"
version = release = __version__

highlight_language = "none"
nitpicky = True

html_theme = "alabaster"
html_theme_options = {"description": "The Notary service on Twisted", "page_width": "70em"}
html_show_sphinx = False

"""Sphinx settings. Examples run when the pages are built; equations become MathML, so that pages load nothing from elsewhere."""

from __future__ import annotations

from typing import Any

from docutils.nodes import SkipNode
from latex2mathml.converter import convert

from poundlock import __version__

project, author, copyright = "Poundlock", "Poundlock maintainers", "Poundlock maintainers, Apache-2.0"
version = release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc"]
exclude_patterns = ["build", "decisions"]
html_theme = "furo"
html_title = "Poundlock"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_math_renderer = "mathml"
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 240
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_preserve_defaults = True
suppress_warnings = ["mystnb.unknown_mime_type"]


def _inline(page: Any, node: Any) -> None:
    page.body.append(convert(node.astext()))
    raise _skip()


def _block(page: Any, node: Any) -> None:
    page.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise _skip()


def _skip() -> Exception:
    return SkipNode()


def setup(app: Any) -> None:
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))

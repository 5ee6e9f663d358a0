"""Sphinx's settings; `docs/build.py` calls it on the sources that it has put together."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

project = "Variational autoencoders, checked"
author = copyright = "The vae_lessons authors"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "book.extension"]
root_doc = "index"
nb_execution_mode = "off"
nb_merge_streams = True
# MyST-NB knows no order for the catalogue of messages; it has the same pages.
nb_mime_priority_overrides = [("gettext", kind, n) for n, kind in enumerate(("text/html", "text/latex", "text/plain"))]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
myst_update_mathjax = False
highlight_language = "python3"
default_role = "code"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True  # as they are written: nn.Linear, and not <class '…'>
napoleon_use_ivar = True
napoleon_use_rtype = False
locale_dirs = [str(HERE / "locale")]
gettext_compact = False

html_theme = "theme"
html_theme_path = [str(HERE)]
html_title = project
html_extra_path = [os.environ["BOOK_EXTRA"]]
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
html_domain_indices = False
html_math_renderer = "katex"

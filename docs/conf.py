"""Settings of the documentation's site: Markdown pages, internal links checked, nothing fetched from the network."""

from __future__ import annotations

project = "integration_assets"
author = "the integration_assets developers"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "integration_assets"
html_show_sphinx = False
myst_heading_anchors = 3

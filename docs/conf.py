"""The site: `make docs` builds it into `build/docs`, readable and searchable without a network."""

import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from draw import BLOCK, name_of  # noqa: E402 - found by the line above

project = "Turnout"
extensions = ["myst_parser"]
exclude_patterns = ["diagrams", "screenshots"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "Turnout"
html_copy_source = False
smartquotes = False  # `--option` is no dash
html_show_copyright = False
html_show_sphinx = False
# Shell, JSON and Python are coloured; what has no such name is shown as it is.
highlight_language = "none"


def _prepare(_: Any, page: str, source: list[str]) -> None:
    """Make of a page what the site can show.

    CONTRIBUTING.md, which GitHub wants at the top, is the page of whoever changes Turnout. A diagram is the picture
    that was drawn of it: the site loads no script that could draw one.
    """
    text = source[0]
    if page == "development":
        text = (HERE.parent / "CONTRIBUTING.md").read_text().replace("](docs/", "](")
        text = text.replace("# Contributing", "# Development", 1)
    text = BLOCK.sub(lambda block: f"![The diagram](/diagrams/{name_of(block[1])})\n", text)
    text = re.sub(
        r"\]\((\.\./[^)#]+\.(?:md|json|yml))\)", r"](path:\1)", text
    )  # not a page of the site: to be downloaded
    source[0] = text.replace("```layers\n", "```text\n")


def setup(app: Any) -> None:
    """Tell Sphinx."""
    app.connect("source-read", _prepare)

"""What pages are made with: the templates, and the files that pages need beside them."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from models.counted import counted

STATIC: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "reference.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def environment() -> Environment:
    """Make a ground for templates: what is shown is escaped, and what is missing is an error."""
    made = Environment(
        loader=PackageLoader("web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["version"] = versions()
    made.filters["counted"] = counted
    return made


@cache
def static(name: str) -> bytes:
    """Read a file that pages need."""
    return (resources.files("web") / "static" / name).read_bytes()


@cache
def versions() -> Mapping[str, str]:
    """Give the hash of each file that pages need, which links carry: so a browser may keep it for ever."""
    return {name: hashlib.blake2b(static(name), digest_size=6).hexdigest() for name in STATIC}

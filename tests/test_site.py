"""The documents as a site: built without a warning, nothing loaded from outside, searchable from a disk."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOADED = {
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "object": "data",
    "embed": "src",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    said = re.search(r"-m (sphinx .*) docs build/docs$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert said
    command = [sys.executable, "-m", *said[1].split(), str(ROOT / "docs"), str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


class Loads(HTMLParser):
    """What a page loads, and where it links to."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in LOADED and (to := given.get(LOADED[tag])):
            self.loaded.append(to)
        if tag == "a" and (to := given.get("href")):
            self.links.append(to)
        self.loaded += re.findall(r"url\(([^)]*)\)", given.get("style") or "")


def pages(site: Path) -> dict[Path, Loads]:
    found = {}
    for path in site.rglob("*.html"):
        found[path] = Loads()
        found[path].feed(path.read_text())
    return found


def is_outside(to: str) -> bool:
    return bool(re.match(r"\s*['\"]?(?:[a-z]+:)?//", to))


@pytest.mark.parametrize(
    ("to", "outside"),
    [("https://example.com/x.js", True), ("//example.com/x.css", True), ("'http://example.com/f.woff'", True),
     ("_static/x.js", False), ("data:image/png;base64,", False)],
)  # fmt: skip
def test_what_is_outside(to: str, outside: bool) -> None:  # noqa: FBT001
    assert is_outside(to) == outside


def test_nothing_is_loaded_from_outside(site: Path) -> None:
    found = pages(site)
    assert len(found) > 35
    assert [(path.name, to) for path, page in found.items() for to in page.loaded if is_outside(to)] == []
    styles = [path.read_text() for path in site.rglob("*.css")]
    asked = [to for style in styles for to in re.findall(r"url\(([^)]*)\)|@import\s+([^;]*)", style)]
    assert [to for to in asked if is_outside("".join(to))] == []


def test_what_is_loaded_and_linked_is_there(site: Path) -> None:
    wrong = []
    for path, page in pages(site).items():
        for to in (*page.loaded, *page.links):
            local = re.sub(r"[?#].*", "", to)
            if local and not re.match(r"[a-z]+:|//", to) and not (path.parent / local).exists():
                wrong.append((path.name, to))
    assert wrong == []


def test_a_diagram_is_a_picture(site: Path) -> None:
    (page,) = [page for path, page in pages(site).items() if path.name == "architecture.html"]
    assert sum(to.endswith(".svg") for to in page.loaded) == 2
    assert "flowchart" not in (site / "architecture.html").read_text()


def test_the_search_index_is_a_script_of_its_own_and_knows_every_page(site: Path) -> None:
    index = json.loads((site / "searchindex.js").read_text().removeprefix("Search.setIndex(").removesuffix(")"))
    written = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert set(index["docnames"]) == written
    assert "webhook" in index["terms"]

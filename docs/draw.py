"""The diagrams of the documents as pictures, for the site: `make diagrams`.

GitHub draws a block of Mermaid itself. The site must load nothing from outside, so each block is drawn once, here, and
kept in `docs/diagrams/` under the hash of its text: a picture that is missing or no longer used fails a test. Needs npm
for Mermaid, and Debian's Chromium.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
HERE = ROOT / "docs" / "diagrams"
MERMAID = "mermaid@11.17.2"
SHA256 = "6ad2f42c3fc26bbf9e45cbb6d11898972573ea52b33a5f4ff51952899f950ffd"
"""Of its package."""
BLOCK = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DRAW = """async (text) => {
  mermaid.initialize({startOnLoad: false, theme: "neutral", fontFamily: "sans-serif",
                      htmlLabels: false, flowchart: {htmlLabels: false, wrappingWidth: 330}});
  return (await mermaid.render("drawing", text)).svg;
}"""


def name_of(text: str) -> str:
    """Give the name of a diagram's picture."""
    return f"{hashlib.sha256(text.strip().encode()).hexdigest()[:16]}.svg"


def texts() -> list[str]:
    """Give the diagrams of all pages."""
    pages = [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [text for page in pages for text in BLOCK.findall(page.read_text())]


def _draw(page: Any, text: str) -> str:
    svg = str(page.evaluate(_DRAW, text))
    width, height = re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', svg).groups()  # type: ignore[union-attr]
    return svg.replace('width="100%"', f'width="{float(width):.0f}" height="{float(height):.0f}"', 1) + "\n"


def main() -> int:
    """Draw what is missing, and delete what no page shows."""
    wanted = {name_of(text): text for text in texts()}
    for path in HERE.glob("*.svg"):
        if path.name not in wanted:
            path.unlink()
    missing = {name: text for name, text in wanted.items() if not (HERE / name).exists()}
    if not missing:
        return 0
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    npm = shutil.which("npm")
    if not chromium or not npm:
        print("the diagrams need npm and Chromium: apt-get install npm chromium-headless-shell", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        subprocess.run([npm, "pack", "--silent", MERMAID], check=True, cwd=folder, stdout=subprocess.DEVNULL)
        package = next(Path(folder).glob("*.tgz"))
        if hashlib.sha256(package.read_bytes()).hexdigest() != SHA256:
            print(f"{MERMAID} is not the package that it was: its hash differs", file=sys.stderr)
            return 1
        with tarfile.open(package) as archive:
            script = archive.extractfile("package/dist/mermaid.min.js")
            assert script is not None, "it is a file"
            mermaid = script.read().decode()
        with playwright.chromium.launch(executable_path=chromium) as browser:
            page = browser.new_page()
            page.add_script_tag(content=mermaid)
            for name, text in missing.items():
                (HERE / name).write_text(_draw(page, text))
                print(f"docs/diagrams/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

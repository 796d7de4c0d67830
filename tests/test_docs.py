"""What the documentation names exists: paths, modules, links, make targets; layers and numbers are the code's."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hubspot_api.reaction import OUTAGE
from models.verification_policy import WAITS
from tasks.intake import DEATHS
from tasks.sweep import EVERY_MS
from tests.support.documents import FENCE, INLINE, PAGES, code, fences, text_of
from worker.celery import configuration
from worker.queue.in_doubt import FIRST_READ
from worker.settings import Settings
from worker.watchdog import STUCK

ROOT = Path(__file__).parent.parent
LISTED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
FILES = {name for name in LISTED if (ROOT / name).is_file()}
NAMES = {Path(name).name for name in FILES}
FOLDERS = {parent.as_posix() for name in FILES for parent in Path(name).parents} - {"."}
TOP = {name.partition("/")[0] for name in FILES if "/" in name}
LINKING = sorted({*PAGES, *(name for name in FILES if name.endswith(".md"))})
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
ARCHITECTURE = "docs/architecture.md"
TARGETS = set(re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split())  # type: ignore[index]

_PATH = re.compile(r"\.?[\w<>*-]+(?:[./][\w<>*-]+)*/?")
_MODULE = re.compile(rf"(?:{'|'.join(sorted(TOP))})(?:\.\w+)+")
_FILE = re.compile(r".*\.(?:py|md|toml|ya?ml|html|lua|txt|sh|css|js)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_NODE = re.compile(r'(\w+)\["([^"]+)"\]')
_EDGE = re.compile(r'(\w+) (?:-->|-\.->)(?:\|"[^"|]+"\|)? (\w+)')


def words(text: str) -> Iterator[str]:
    for snippet in code(text):
        for word in re.split(r"<br/>|[\s\"'(){}\[\],;:=|]+", snippet):
            yield word.rstrip(".")


def paths(text: str) -> set[str]:
    """Give the words that name a file or folder of the repository: by their folder, or by how they end.

    What is under `build/` is made by a command, and is not in the repository.
    """
    return {
        word
        for word in words(text)
        if _PATH.fullmatch(word)
        and not word.startswith("build/")
        and not _MODULE.fullmatch(word)
        and (_FILE.fullmatch(word) or ("/" in word and word.partition("/")[0] in TOP))
    }


def exists(path: str) -> bool:
    """Say whether a path is there: of one with a `<placeholder>` its folder, of a bare name any file of that name.

    What is in `build/` is made by a run, and tracked nowhere.
    """
    if path.startswith("build/"):
        return True
    if "<" in path:
        path = path[: path.index("<")].rpartition("/")[0]
    if "*" in path:
        return any(ROOT.glob(path))
    return path.rstrip("/") in FILES | FOLDERS | NAMES


def is_module(name: str) -> bool:
    """Say whether a dotted name is a module, or something that one defines."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        base = "/".join(parts[:length])
        for file in (f"{base}.py", f"{base}/__init__.py"):
            if file in FILES:
                defined = ast.dump(ast.parse(text_of(file)))
                return length == len(parts) or f"'{parts[length]}'" in defined
    return False


def anchors(page: str) -> set[str]:
    """Give the anchors that a page's headings have on GitHub."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return {slug if not slugs[:at].count(slug) else f"{slug}-{slugs[:at].count(slug)}" for at, slug in enumerate(slugs)}


def leads_somewhere(page: str, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return True
    path, _, anchor = link.partition("#")
    to = (ROOT / page).parent / path if path else ROOT / page
    return to.exists() and (not anchor or anchor in anchors(to.resolve().relative_to(ROOT).as_posix()))


def test_the_pages_are_there_and_name_something() -> None:
    assert {"README.md", "CONTRIBUTING.md", ARCHITECTURE} <= set(PAGES)
    assert len(paths(text_of("CONTRIBUTING.md"))) > 40
    assert len(paths(text_of(ARCHITECTURE))) > 60


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("`worker/queue/claim.py`", {"worker/queue/claim.py"}),
        ("see `gone/away.py`, `tasks/` and `Makefile`", {"gone/away.py", "tasks/"}),
        ('```mermaid\nflowchart TD\n  a["x<br/>worker/a.py, worker/b.py"]\n```', {"worker/a.py", "worker/b.py"}),
        ("`turnout enqueue examples/a.csv --state cancel`, `a/b`", {"examples/a.csv"}),
        ("`/openapi.json`, `/batch/{batch}`, `.venv/bin/turnout`, `build/calls.txt`", set()),
        ("`tests/test_<verb>.py`, `docs/*.md`", {"tests/test_<verb>.py", "docs/*.md"}),
        ("worker/queue/claim.py without back-ticks, `worker.queue.claim`", set()),
    ],
)  # fmt: skip
def test_paths_are_found(said: str, named: set[str]) -> None:
    assert paths(said) == named


@pytest.mark.parametrize(
    ("path", "is_there"),
    [
        ("worker/queue/claim.py", True),
        ("worker/queue/", True),
        ("worker/queue/claims.py", False),
        ("__init__.py", True),
        ("claims.py", False),
        ("workers/queue.py", False),
        ("tests/test_<verb>.py", True),
        ("test/test_<verb>.py", False),
        ("docs/*.md", True),
        ("docs/*.rst", False),
    ],
)
def test_a_path_exists_or_not(path: str, is_there: bool) -> None:  # noqa: FBT001
    assert exists(path) == is_there


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_names_exists(page: str) -> None:
    assert [path for path in sorted(paths(text_of(page))) if not exists(path)] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_module_that_a_page_names_exists(page: str) -> None:
    named = {word for word in words(text_of(page)) if _MODULE.fullmatch(word) and not _FILE.fullmatch(word)}
    assert [name for name in sorted(named) if not is_module(name)] == []


@pytest.mark.parametrize("page", LINKING)
def test_every_link_leads_somewhere(page: str) -> None:
    links = _LINK.findall(INLINE.sub("", FENCE.sub("", text_of(page))))
    assert [link for link in links if not leads_somewhere(page, link)] == []


def test_a_link_to_a_heading_that_is_not_there_leads_nowhere() -> None:
    assert leads_somewhere("README.md", f"{ARCHITECTURE}#the-lock-order")
    assert not leads_somewhere("README.md", f"{ARCHITECTURE}#the-lock-odor")
    assert not leads_somewhere("README.md", "docs/architektur.md")


@pytest.mark.parametrize("page", PAGES)
def test_every_target_of_make_that_a_page_names_exists(page: str) -> None:
    named = {target for snippet in code(text_of(page)) for target in re.findall(r"\bmake ([a-z][\w-]*)", snippet)}
    assert named <= TARGETS


def test_every_target_of_make_is_explained() -> None:
    assert set(re.findall(r"^\| `make ([\w-]+)", text_of("CONTRIBUTING.md"), re.MULTILINE)) == TARGETS


def test_the_layers_are_those_of_the_contracts() -> None:
    contracts = [one for one in PROJECT["tool"]["importlinter"]["contracts"] if one["type"] == "layers"]
    drawn = [block.splitlines() for block in fences(ARCHITECTURE, "layers")]
    assert drawn == [one["layers"] for one in contracts]
    assert [one.get("containers") for one in contracts] == [None, ["worker"]]
    assert contracts[1]["exhaustive"]


def test_the_map_names_every_folder() -> None:
    mapped = set(re.findall(r"`([\w/]+)/`", text_of(ARCHITECTURE).split("## The way of a record")[0]))
    packages = {Path(name).parent.as_posix() for name in FILES if name.endswith("__init__.py")}
    inside = {name for name in packages if re.fullmatch(r"(?:worker|web)/\w+|\w+", name)}
    assert len(inside) > 15
    assert inside - {"worker"} <= mapped


@pytest.mark.parametrize("page", PAGES)
def test_every_diagram_draws_lines_between_nodes_that_it_names(page: str) -> None:
    for drawn in fences(page, "mermaid"):
        first, *lines = [line.strip() for line in drawn.splitlines() if line.strip()]
        assert re.fullmatch("(?:flowchart|graph) (?:TD|TB|LR)", first), first
        nodes = [node[1] for line in lines if (node := _NODE.fullmatch(line))]
        edges = [edge.groups() for line in lines if (edge := _EDGE.fullmatch(line))]
        assert len(nodes) + len(edges) == len(lines), "a line is neither a node nor an edge"
        assert len(set(nodes)) == len(nodes)
        assert {end for edge in edges for end in edge} == set(nodes)
        assert not {"end", "class", "style", "click", "subgraph"} & set(nodes), "mermaid keeps these for itself"


def test_there_are_both_diagrams() -> None:
    assert len(fences(ARCHITECTURE, "mermaid")) == 2


def default(name: str) -> Any:
    return Settings.model_fields[name].default


@pytest.mark.parametrize(
    "said",
    [
        f"`TURNOUT_LEASE` is {default('lease'):g} s",
        f"within {EVERY_MS} ms of another",
        f"does not reach for {STUCK:g} s",
        f"after {DEATHS} deaths",
        f"the read-back, {FIRST_READ:g} s later",
        f"from the {[*'0123', 'fourth', 'fifth', 'sixth'][OUTAGE]} failure in a row",
        f"{['', '', '', '', 'four', 'five'][len(WAITS) + 1]} looks within {-(-sum(WAITS) // 60):g} minutes",
    ],
)
def test_a_number_on_the_page_is_the_codes(said: str) -> None:
    assert said in re.sub(r"\s+", " ", text_of(ARCHITECTURE))


def test_the_sweep_comes_as_often_as_the_page_says() -> None:
    schedule = configuration(Settings(_env_file=None, broker_url="redis://127.0.0.1:1/0"))["beat_schedule"]
    assert schedule["sweep"]["schedule"] == 1
    assert "sweep, every second" in text_of(ARCHITECTURE)

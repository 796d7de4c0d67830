"""The Dockerfile says in its words what the code says in its own: held equal here. `test_installed` does its steps."""

import re

from tests.support.dockerfile import BEFORE, BUILD, ROOT, RUNTIME, of, pairs
from tests.support.installed import EMBEDDED, HOME, PACKAGES, PROJECT
from worker.settings import Settings

PINS = {f"requirements/{name}.txt" for name in ("base", "build", "reports")}


def copied() -> set[str]:
    """What the builder takes from the repository."""
    found = [one.words for one in of(BUILD, "COPY")]
    assert all(len(words) == 2 and words[0] == words[1] for words in found)
    return {words[0] for words in found}


# What it says


def test_both_stages_stand_on_the_same_slim_python_of_an_exact_version() -> None:
    (argument,) = [one.text for one in BEFORE if one.word == "ARG"]
    name, _, image = argument.partition("=")
    assert name == "PYTHON"
    assert re.fullmatch(r"python:3\.13\.[0-9]+-slim-trixie", image)
    assert [stage[0].text for stage in (BUILD, RUNTIME)] == ["${PYTHON} AS build", "${PYTHON}"]


def test_it_names_no_registry() -> None:
    assert not re.search(r"https?://|index-url|[a-z0-9]\.io/", (ROOT / "Dockerfile").read_text())


def test_every_package_of_ours_is_copied_and_all_that_is_copied_exists() -> None:
    assert copied() == PACKAGES | PINS | {"pyproject.toml", "README.md"}
    assert all((ROOT / source).exists() for source in copied())


def test_the_builder_is_given_only_what_is_copied() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == copied()


def test_pins_are_installed_with_their_hashes_before_the_code_comes() -> None:
    texts = [one.text for one in BUILD]
    code = texts.index("pyproject.toml pyproject.toml")
    for pins in ('"requirements/${REQUIREMENTS}.txt"', "requirements/build.txt"):
        at, text = next((at, text) for at, text in enumerate(texts) if f"-r {pins}" in text)
        assert at < code
        assert "--only-binary :all:" in text
        assert "--require-hashes" in text
    assert all("--no-index" in one.text for one in of(BUILD, "RUN") if "turnout-*.whl" in one.text)


def test_traces_and_error_reports_are_a_choice_of_the_build() -> None:
    assert [one.text for one in of(BUILD, "ARG")] == ["REQUIREMENTS=base"]
    assert {"requirements/base.txt", "requirements/reports.txt"} <= copied()
    for page in ("docs/tracing.md", "docker-compose.yml"):
        assert "REQUIREMENTS" in (ROOT / page).read_text()


def test_what_only_installs_and_what_only_up_starts_is_left_behind() -> None:
    assert of(RUNTIME, "COPY")[0].text == f"--from=build {HOME} {HOME}"
    assert len(of(RUNTIME, "COPY")) == 1
    assert "pip uninstall --yes pip" in of(BUILD, "RUN")[-1].text
    extra = {re.split(r"[><=]", one)[0] for one in PROJECT["project"]["optional-dependencies"]["embedded"]}
    assert extra == set(EMBEDDED)
    pinned = {name: (ROOT / "requirements" / name).read_text() for name in ("base.txt", "dev.txt")}
    for package in EMBEDDED:
        assert f"\n{package}==" in pinned["dev.txt"]
        assert f"\n{package}==" not in pinned["base.txt"]


def test_it_is_not_roots_and_says_things_at_once() -> None:
    assert re.fullmatch(r"[1-9][0-9]{3,}:[1-9][0-9]{3,}", of(RUNTIME, "USER")[0].text)
    assert [one.word for one in RUNTIME].index("USER") > [one.word for one in RUNTIME].index("COPY")
    values = pairs(RUNTIME, "ENV")
    assert values["PYTHONUNBUFFERED"] == values["PYTHONDONTWRITEBYTECODE"] == "1"
    assert values["PATH"].startswith(f"{HOME}/bin:")


def test_what_it_sets_is_a_setting_and_the_port_is_the_one_it_names() -> None:
    values = {name: value for name, value in pairs(RUNTIME, "ENV").items() if name.startswith("TURNOUT_")}
    assert set(values) <= {f"TURNOUT_{name.upper()}" for name in Settings.model_fields}
    assert of(RUNTIME, "EXPOSE")[0].words == ["8800", values["TURNOUT_MONITOR_PORT"]]
    assert of(RUNTIME, "HEALTHCHECK")[0].text.endswith('CMD ["turnout", "health"]')


def test_its_labels_say_which_version_it_is() -> None:
    labels = pairs(RUNTIME, "LABEL")
    assert labels["org.opencontainers.image.version"] == PROJECT["project"]["version"]
    assert labels["org.opencontainers.image.revision"] == "${REVISION}"
    assert "REVISION=unknown" in [one.text for one in of(RUNTIME, "ARG")]

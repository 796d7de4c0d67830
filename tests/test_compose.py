"""The Dockerfile and docker-compose.yml say in their words what the code says in its own: held equal here."""

import ast
import importlib
import re
import socket
import tomllib
from inspect import signature
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from cli.app import app
from cli.sandbox import sandbox
from worker import context, heartbeat
from worker.celery import DELIVERY_QUEUES, HOUSEKEEPING_QUEUES, WORKER_OPTIONS
from worker.settings import Settings
from worker.stream import connect

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE_TEXT)["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
SETTING_UP = {"TURNOUT_SECRET_KEY", "TURNOUT_HUBSPOT_TOKEN", "POSTGRES_PASSWORD"}
WORKERS = {"delivery": DELIVERY_QUEUES, "housekeeping": HOUSEKEEPING_QUEUES}
_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}")


def instructions(word: str) -> list[list[str]]:
    """The arguments of each of the Dockerfile's instructions of that name."""
    lines = DOCKERFILE.replace("\\\n", " ").splitlines()
    return [line.split()[1:] for line in lines if line.startswith(f"{word} ")]


def interpolated(value: str, given: dict[str, str]) -> str:
    """What Compose makes of a value, in the three forms that the file uses."""

    def put(found: re.Match[str]) -> str:
        name, form, rest = found.groups()
        assert form, f"{name} has neither a default nor a reason for being required"
        assert given.get(name) or form == "-", f"{name} {rest}"
        return given.get(name) or rest

    return _VARIABLE.sub(put, value).replace("$$", "$")


def environment(service: str, **given: str) -> dict[str, str]:
    given = dict.fromkeys(SETTING_UP, "given") | given
    return {name: interpolated(value, given) for name, value in SERVICES[service]["environment"].items()}


def settings(service: str, monkeypatch: pytest.MonkeyPatch, **given: str) -> Settings:
    """The settings that a container of this service would read."""
    for name, value in environment(service, **given).items():
        monkeypatch.setenv(name, value)
    return Settings(_env_file=None)


def seconds(period: str) -> int:
    assert re.fullmatch(r"[0-9]+s", period), period
    return int(period[:-1])


def parts(path: Path) -> set[str]:
    """The top-level packages that pyproject.toml finds."""
    found = tomllib.loads(path.read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    return {pattern.removesuffix("*") for pattern in found}


# The image


def test_the_image_is_slim_python_and_names_no_registry() -> None:
    assert instructions("FROM") == [["python:3.13-slim"]]
    images = [service["image"] for service in SERVICES.values()]
    for image in [*images, *(words[0] for words in instructions("FROM"))]:
        assert "." not in image.split("/")[0] or "/" not in image
    assert not re.search(r"https?://|index-url", DOCKERFILE)


def test_every_package_of_ours_is_copied_and_all_that_is_copied_exists() -> None:
    copied = instructions("COPY")
    assert all(len(words) == 2 and words[0] == words[1] for words in copied)
    sources = {words[0] for words in copied}
    assert sources == parts(ROOT / "pyproject.toml") | {"requirements/base.txt", "pyproject.toml"}
    assert all((ROOT / source).exists() for source in sources)


def test_the_builder_is_given_only_what_is_copied() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    let_in = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert rules[0] == "*"
    assert let_in == {words[0] for words in instructions("COPY")}


def test_requirements_are_pinned_and_hashed_and_come_before_the_code() -> None:
    (install,) = [words for words in instructions("RUN") if "install" in words]
    assert "--require-hashes" in install
    assert install[-2:] == ["-r", "requirements/base.txt"]
    pins = (ROOT / "requirements/base.txt").read_text().replace("\\\n", " ").splitlines()
    pins = [line for line in pins if line and not line.lstrip().startswith("#")]
    assert pins
    assert all("==" in line and "--hash=sha256:" in line for line in pins)
    order = [line.split()[0:2] for line in DOCKERFILE.splitlines() if line.startswith(("COPY", "RUN"))]
    assert order[:2] == [["COPY", "requirements/base.txt"], ["RUN", "pip"]]


def test_the_image_is_no_roots_and_says_things_at_once() -> None:
    assert instructions("USER") == [["10001"]]
    assert DOCKERFILE.index("\nUSER ") > DOCKERFILE.index("\nCOPY worker")
    assert "PYTHONUNBUFFERED=1" in instructions("ENV")[0]
    assert all("user" not in SERVICES[name] for name in OURS)


def test_nothing_secret_is_written_down() -> None:
    assert not [word for word in SETTING_UP if word in DOCKERFILE]
    for service in SERVICES.values():
        for name, value in service["environment"].items() if "environment" in service else ():
            if re.search(r"PASSWORD|TOKEN|KEY", name):
                assert value.startswith("${"), name
                assert ":?" in value, f"{name} must be given: a default would be a secret that everybody knows"


# The settings


@pytest.mark.parametrize("name", [name for name in OURS if SERVICES[name]["environment"]])
def test_every_variable_is_a_setting_and_every_setting_can_be_given(name: str) -> None:
    known = {f"TURNOUT_{field.upper()}" for field in Settings.model_fields}
    passed = {variable for variable in SERVICES[name]["environment"] if variable != "PGPASSWORD"}
    assert passed <= known
    # One Redis is broker and stream, and nothing is kept outside the volumes.
    assert known - passed == {"TURNOUT_REDIS_URL", "TURNOUT_DATA_DIR"}
    asked = {found[0] for found in _VARIABLE.findall(COMPOSE_TEXT) if found[0].startswith("TURNOUT_")}
    assert asked <= known


def test_what_is_not_given_has_the_settings_own_default(monkeypatch: pytest.MonkeyPatch) -> None:
    read = settings("delivery", monkeypatch)
    for name, field in Settings.model_fields.items():
        if name not in {"database_url", "broker_url", "secret_key", "hubspot_token", "log_format"}:
            assert getattr(read, name) == field.default, name
    assert read.log_format == "json"
    assert read.lease > read.timeout


def test_what_is_given_reaches_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("migrate", "delivery", "housekeeping", "beat"):
        read = settings(name, monkeypatch, TURNOUT_TIMEOUT="7", TURNOUT_LEASE="70", TURNOUT_HUBSPOT_TOKEN="t")
        assert (read.timeout, read.lease, read.hubspot_token.get_secret_value()) == (7, 70, "t")


def test_what_must_be_given_is_asked_for() -> None:
    for name in SETTING_UP:
        with pytest.raises(AssertionError, match=name):
            environment("delivery", **{name: ""})


def test_the_urls_name_services_and_their_ports() -> None:
    told = environment("delivery")
    postgres = SERVICES["postgres"]["environment"]
    assert told["TURNOUT_DATABASE_URL"] == (
        f"postgresql://{postgres['POSTGRES_USER']}@postgres:5432/{postgres['POSTGRES_DB']}"
    )
    assert postgres["POSTGRES_PASSWORD"] == SERVICES["delivery"]["environment"]["PGPASSWORD"]
    assert told["TURNOUT_BROKER_URL"] == "redis://valkey:6379/0"


# The processes


@pytest.mark.parametrize(("name", "queues"), WORKERS.items())
def test_a_worker_has_its_queues_and_the_options_of_the_code(name: str, queues: str) -> None:
    assert SERVICES[name]["command"] == [
        *("celery", "-A", "worker", "worker", *WORKER_OPTIONS, "-Q", queues, "-n", f"{name}@%h")
    ]


def test_beat_is_beat() -> None:
    assert SERVICES["beat"]["command"] == ["celery", "-A", "worker", "beat"]


def test_no_queue_is_left_without_a_worker() -> None:
    from worker.celery import TASKS

    served = [queue for queues in WORKERS.values() for queue in queues.split(",")]
    assert sorted(served) == sorted(TASKS)


def test_every_console_command_exists_with_its_options() -> None:
    commands = [service["command"] for service in SERVICES.values() if service.get("command", [""])[0] == "turnout"]
    assert ["turnout", "db", "upgrade"] in commands
    for command in [*commands, ["turnout", "status"], ["turnout", "enqueue"]]:
        found: Any = get_command(app)
        words = command[1:]
        while words and hasattr(found, "commands"):
            found = found.commands[words.pop(0)]
        known = {option for parameter in found.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, command
    shown = set(re.findall(r"exec (?:-T )?(?:delivery|web) turnout (\w+)", COMPOSE_TEXT))
    assert len(shown) >= 3
    assert shown <= get_command(app).commands.keys()  # type: ignore[attr-defined]


def test_a_stop_leaves_time_for_a_post_that_is_under_way() -> None:
    default = Settings.model_fields["timeout"].default
    for name in WORKERS:
        assert seconds(interpolated(SERVICES[name]["stop_grace_period"], {})) >= default + 10


def test_the_rest_waits_for_the_tables_and_for_what_it_talks_to() -> None:
    healthy, done = {"condition": "service_healthy"}, {"condition": "service_completed_successfully"}
    assert SERVICES["migrate"]["depends_on"] == {"postgres": healthy}
    assert SERVICES["migrate"]["restart"] == "no"
    for name in (*WORKERS, "beat", "web"):
        assert SERVICES[name]["depends_on"] == {"migrate": done, "postgres": healthy, "valkey": healthy}


def test_whatever_runs_for_long_says_whether_it_is_well_and_comes_back() -> None:
    for name, service in SERVICES.items():
        if name != "migrate":
            assert service["restart"] == "unless-stopped"
            assert seconds(service["healthcheck"]["timeout"]) <= seconds(service["healthcheck"]["interval"])
            assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


def test_what_a_healthcheck_imports_exists() -> None:
    scripts = [
        s["healthcheck"]["test"][3] for s in SERVICES.values() if "-c" in s.get("healthcheck", {"test": ()})["test"]
    ]
    assert len(scripts) == 5
    for script in scripts:
        for node in ast.walk(ast.parse(script)):
            if isinstance(node, ast.ImportFrom):
                assert node.module
                assert all(hasattr(importlib.import_module(node.module), alias.name) for alias in node.names)


def test_a_workers_healthcheck_says_whether_it_lives(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    class Here:
        redis = connect(settings.stream_url)

    monkeypatch.setattr(context, "current", Here)
    for name in WORKERS:
        script = compile(SERVICES[name]["healthcheck"]["test"][3], name, "exec")
        for beats, status in ((False, True), (True, False)):
            Here.redis.delete(heartbeat.WORKERS)
            Here.redis.zadd(heartbeat.WORKERS, {"another-host:1": Here.redis.time()[0]})
            if beats:
                Here.redis.zadd(heartbeat.WORKERS, {f"{socket.gethostname()}:7": Here.redis.time()[0]})
            with pytest.raises(SystemExit) as ended:
                exec(script, {})
            assert ended.value.code is status


# Around them


def test_valkey_keeps_what_waits() -> None:
    command = SERVICES["valkey"]["command"]
    options = dict(pairwise(command[1:]))
    assert command[0] == "valkey-server"
    assert (options["--appendonly"], options["--maxmemory-policy"]) == ("yes", "noeviction")
    assert SERVICES["valkey"]["volumes"] == ["valkey:/data"]


def test_postgres_keeps_its_data_where_the_image_of_18_has_it() -> None:
    assert SERVICES["postgres"]["image"] == "postgres:18"
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    assert set(yaml.safe_load(COMPOSE_TEXT)["volumes"]) == {"postgres", "valkey"}


def test_ports_are_open_to_this_machine_alone() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {
        "sandbox": ["127.0.0.1:8900:8900"],
        "valkey": ["127.0.0.1:${VALKEY_PORT:-6379}:6379"],
        "web": ["127.0.0.1:${WEB_PORT:-8800}:8800"],
    }


def test_the_sandbox_is_optional_knows_no_setting_and_listens_where_it_is_published() -> None:
    service = SERVICES["sandbox"]
    assert [name for name in SERVICES if "profiles" in SERVICES[name]] == ["sandbox"]
    assert service["environment"] == {}
    assert dict(pairwise(service["command"][2:])) == {"--host": "0.0.0.0", "0.0.0.0": "--port", "--port": "8900"}
    assert signature(sandbox).parameters["port"].default == 8900
    assert "TURNOUT_HUBSPOT_URL=http://sandbox:8900" in COMPOSE_TEXT

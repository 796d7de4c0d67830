"""What is said twice is equal: migrations and models, the import arrow and the imports."""

import json
import re
import subprocess
import sys
from pathlib import Path

from alembic import command
from sqlalchemy import Engine, text

from models.tables import Base
from worker.local.migrate import configuration, upgrade

ROOT = Path(__file__).parent.parent


def test_the_migrations_equal_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        command.check(configuration(connection))


def test_the_storage_options_equal_the_models(engine: Engine) -> None:
    """Alembic does not compare these."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT relname, unnest(reloptions) FROM pg_class WHERE relkind = 'r' AND reloptions <> '{}'")
        )
        kept = sorted((table, option) for table, option in rows)
    options = {table.name: table.dialect_options["postgresql"]["with"] or {} for table in Base.metadata.sorted_tables}
    assert kept == sorted(
        (table, f"{name}={value}") for table, named in options.items() for name, value in named.items()
    )
    assert {"records", "errors", "attempts", "batches"} <= {table for table, _ in kept}


def test_the_migrations_can_be_undone_and_applied_again(engine: Engine) -> None:
    with engine.connect() as connection:
        command.downgrade(configuration(connection), "base")
        connection.commit()
        left = connection.execute(
            text("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')")
        )
        assert set(left.scalars()) == {"alembic_version"}
    upgrade(engine)
    upgrade(engine)


def test_imports_point_down_only() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_no_file_names_a_package_registry_or_this_machine() -> None:
    hosts = ["pypi" + ".org", "python" + "hosted.org", "registry.npm" + "js", "deb.debian" + ".org", "/wo" + "rk/"]
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert len(listed) > 400
    for name in listed:
        content = (ROOT / name).read_bytes()
        assert not [host for host in hosts if host.encode() in content], name


LOADED = """
import importlib, json, pkgutil, sys
from importlib.metadata import packages_distributions
for package in sys.argv[1:]:
    top = importlib.import_module(package)
    for found in pkgutil.walk_packages(top.__path__, f"{package}.") if hasattr(top, "__path__") else ():
        asked_for = found.name in {"worker.error_reports", "worker.tracing_setup"}
        if not asked_for and not found.name.startswith("migrations.") and not found.name.endswith("__main__"):
            importlib.import_module(found.name)
tops = {name.partition(".")[0] for name in sys.modules}
known = packages_distributions()
print(json.dumps([sorted({one for top in tops for one in known.get(top, ())}), sorted(sys.modules)]))
"""
"""Imports all but the two modules that a setting asks for; tells the packages, and the modules."""
OF_EXTRAS = (
    "opentelemetry.sdk.trace",
    "opentelemetry.exporter",
    "opentelemetry.proto",
    "google.protobuf",
    "sentry_sdk",
)
"""What traces and error reports need. OpenTelemetry's API, and its metrics where installed, redis-py imports itself."""
OPTIONAL = {"attrs", "greenlet", "pyyaml", "setuptools"}
"""Loaded where they are installed, and not missed where they are not."""
TRANSPORTS = ("kombu.transport.redis", "kombu.transport.pyamqp", "celery.concurrency.thread", "celery.bin.worker")


def test_what_is_loaded_in_production_is_pinned_for_production() -> None:
    """The image installs `requirements/base.txt` alone: what comes only with the tests' packages would be missing."""
    ours = ("cli", "web", "tasks", "worker", "hubspot_api", "models", "sandbox")
    command = [sys.executable, "-c", LOADED, *ours, *TRANSPORTS]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    packages, modules = json.loads(said)
    assert not [name for name in modules if name.startswith(OF_EXTRAS)]
    loaded = {name.lower().replace("_", "-").replace(".", "-") for name in packages} - {"turnout"}
    loaded = {
        name for name in loaded if not name.startswith("opentelemetry-")
    }  # one name, which several packages share
    pinned = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / "base.txt").read_text(), re.MULTILINE))
    assert {"celery", "kombu", "packaging"} <= loaded
    assert loaded - OPTIONAL <= pinned


def test_git_tracks_no_file_of_rows_that_were_not_accepted() -> None:
    """They name people, whatever format they are written in."""
    names = [f"people.{kind}.refused{number}.{kind}" for kind in ("csv", "jsonl", "xlsx") for number in ("", "-2")]
    asked = subprocess.run(["git", "check-ignore", *names], cwd=ROOT, capture_output=True, text=True, check=False)
    assert asked.stdout.splitlines() == names

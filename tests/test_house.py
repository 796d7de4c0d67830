"""What is said twice is equal: migrations and models, the import arrow and the imports."""

import subprocess
import sys
from pathlib import Path

from alembic import command
from sqlalchemy import Engine, text

from worker.local.migrate import configuration, upgrade

ROOT = Path(__file__).parent.parent


def test_the_migrations_equal_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        command.check(configuration(connection))


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
    for name in listed:
        content = (ROOT / name).read_bytes()
        assert not [host for host in hosts if host.encode() in content], name

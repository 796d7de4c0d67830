"""nginx and Caddy as `deploy/` has them, before a web process of the tests.

Only names, ports and certificates are others.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.support.dockerfile import ROOT
from tests.support.installed import needed
from tests.support.worker_processes import until

NAME = "events.example.com"
NGINX = """
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/turnout.conf;
}}
"""


def replaced(text: str, *changes: tuple[str, str]) -> str:
    """Put other words in place of some, each of which must be there."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def nginx(folder: Path, certificate: Path, port: int, plain: int, upstreams: Sequence[int]) -> list[str]:
    first, *second = upstreams
    site = replaced(
        (ROOT / "deploy/nginx/turnout.conf").read_text(),
        (NAME, "127.0.0.1"),
        ("127.0.0.1:8800", f"127.0.0.1:{first}"),
        *(("# server 127.0.0.1:8801", f"server 127.0.0.1:{one}") for one in second),
        ("/etc/ssl/turnout/fullchain.pem", str(certificate)),
        ("/etc/ssl/turnout/privkey.pem", str(certificate)),
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
    )
    (folder / "turnout.conf").write_text(re.sub(r"(?m)^ *listen \[::\].*\n", "", site))
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
    return [
        needed("nginx"),
        "-c",
        str(folder / "nginx.conf"),
        "-p",
        str(folder),
        "-g",
        "daemon off; master_process off;",
    ]


def caddy(folder: Path, certificate: Path, port: int, plain: int, upstreams: Sequence[int]) -> list[str]:
    (upstream,) = upstreams
    text = replaced(
        (ROOT / "deploy/caddy/Caddyfile").read_text(),
        ("\n{\n\tservers {", f"\n{{\n\tadmin off\n\thttp_port {plain}\n\thttps_port {port}\n\tservers {{"),
        (f"\n{NAME} {{", f"\nhttps://127.0.0.1:{port} {{\n\ttls {certificate} {certificate}"),
        ("reverse_proxy 127.0.0.1:8800", f"reverse_proxy 127.0.0.1:{upstream}"),
    )
    (folder / "Caddyfile").write_text(text)
    return [needed("caddy"), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


KINDS: dict[str, Callable[[Path, Path, int, int, Sequence[int]], list[str]]] = {"nginx": nginx, "caddy": caddy}


@contextmanager
def running_proxy(kind: str, certificate: Path, port: int, plain: int, *upstreams: int) -> Iterator[str]:
    """Run a proxy before web processes until the block ends; give what the addresses behind it begin with.

    nginx takes one or two of them, Caddy one.
    """
    with tempfile.TemporaryDirectory(prefix="turnout-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        command = KINDS[kind](folder, certificate, port, plain, upstreams)
        log = folder / "said.log"
        home = {"PATH": os.environ["PATH"], "HOME": name, "XDG_DATA_HOME": name, "XDG_CONFIG_HOME": name}
        with log.open("wb") as said:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=home)
        url = f"https://127.0.0.1:{port}"

        def listens() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                requests.get(url, verify=str(certificate), timeout=5)
            except requests.ConnectionError:
                return False
            return True

        try:
            until(listens, 30, log.read_text)
            yield url
        finally:
            process.terminate()
            process.wait(30)

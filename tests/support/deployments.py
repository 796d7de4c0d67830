"""What is deployed, read: docker-compose.yml and its services, and what kustomize builds for Kubernetes."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.dockerfile import ROOT
from tests.support.installed import needed

COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
KUBERNETES = ROOT / "deploy" / "kubernetes"
Manifest = dict[str, Any]


class NoKeyTwice(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys; Compose refuses the file."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's own
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise yaml.constructor.ConstructorError(None, None, f"{twice} stand twice", node.start_mark)
        return super().construct_mapping(node, deep)


COMPOSE: dict[str, Any] = yaml.load(COMPOSE_TEXT, NoKeyTwice)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}")


def interpolated(value: str, given: dict[str, str]) -> str:
    """What Compose makes of a value, in the three forms that the file uses."""

    def put(found: re.Match[str]) -> str:
        name, form, rest = found.groups()
        assert form, f"{name} has neither a default nor a reason for being required"
        assert given.get(name) or form == "-", f"{name} {rest}"
        return given.get(name) or rest

    return VARIABLE.sub(put, value).replace("$$", "$")


def seconds(period: str) -> int:
    assert re.fullmatch(r"[0-9]+s", period), period
    return int(period[:-1])


@cache
def built(folder: str) -> list[Manifest]:
    """Give what `kubectl apply -k` would send."""
    here = str(Path(sys.executable).parent / "kubectl")
    command = [here if Path(here).exists() else needed("kubectl"), "kustomize", str(KUBERNETES / folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def of_kind(kind: str, folder: str = "base") -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in built(folder) if one["kind"] == kind}

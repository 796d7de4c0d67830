"""The manifests for Kubernetes: kustomize builds them, its schemas take them, and they say what the code says."""

import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import kubernetes_validate
import pytest

from tests.support.deployments import KUBERNETES, SERVICES, Manifest, built, of_kind
from tests.support.dockerfile import ROOT, RUNTIME, of, pairs
from tests.support.documents import text_of
from tests.support.units import PROCESSES, read_unit
from worker.setting_sources import OF_FILES
from worker.settings import Settings

VERSION = "1.37"
BUILDS = ("base", "overlays/production", "overlays/autoscaled")
DEPLOYMENTS = {f"turnout-{name}": name for name in PROCESSES}


def pod_of(workload: Manifest) -> Manifest:
    pod: Manifest = workload["spec"]["template"]["spec"]
    return pod


def container_of(workload: Manifest) -> Manifest:
    (container,) = pod_of(workload)["containers"]
    return dict(container)


def workloads(folder: str = "base") -> list[Manifest]:
    by_the_clock = [
        one["spec"]["jobTemplate"] | {"metadata": one["metadata"]} for one in of_kind("CronJob", folder).values()
    ]
    return [*of_kind("Deployment", folder).values(), *of_kind("Job", folder).values(), *by_the_clock]


def labels_of(name: str) -> Manifest:
    """Give what a Deployment's pods are known by: ours alone, whatever else is in the namespace."""
    deployment = of_kind("Deployment")[name]
    selected: Manifest = deployment["spec"]["selector"]["matchLabels"]
    assert selected == deployment["spec"]["template"]["metadata"]["labels"]
    assert selected == {"app.kubernetes.io/name": "turnout", "app.kubernetes.io/component": DEPLOYMENTS[name]}
    return selected


@pytest.mark.parametrize("folder", BUILDS)
def test_kubernetes_would_take_it(folder: str) -> None:
    for manifest in built(folder):
        if manifest["kind"] != "ScaledObject":  # KEDA's, of which the schemas know nothing
            kubernetes_validate.validate(manifest, VERSION, strict=True)


@pytest.mark.parametrize("folder", BUILDS)
def test_each_process_starts_what_compose_starts(folder: str) -> None:
    deployments = of_kind("Deployment", folder)
    assert deployments.keys() == DEPLOYMENTS.keys()
    for name, process in DEPLOYMENTS.items():
        assert container_of(deployments[name])["args"] == SERVICES[process]["command"]
    (migrate,) = of_kind("Job", folder).values()
    assert container_of(migrate)["args"] == SERVICES["migrate"]["command"]


def test_the_books_are_recounted_every_night_in_a_pod_like_the_others() -> None:
    (audit,) = of_kind("CronJob").values()
    assert audit["spec"]["schedule"] == "30 3 * * *"
    (migrate,) = of_kind("Job").values()
    template = audit["spec"]["jobTemplate"]
    assert container_of(template)["args"] == ["turnout", "audit"]
    differing = {"args": None, "containers": None, "restartPolicy": None}
    assert container_of(template) | differing == container_of(migrate) | differing
    assert pod_of(template) | differing == pod_of(migrate) | differing


def test_the_image_is_the_one_that_is_built_of_an_exact_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {container_of(one)["image"] for one in workloads()} == {f"turnout:{version}"}
    for folder in BUILDS[1:]:
        for one in workloads(folder):
            assert re.fullmatch(rf"registry\.example\.com/turnout:{version}", container_of(one)["image"])


@pytest.mark.parametrize("folder", BUILDS)
def test_every_variable_is_a_setting_and_every_secret_a_file_of_the_secret(folder: str) -> None:
    (settings,) = of_kind("ConfigMap", folder).values()
    files = {name.removesuffix("_FILE"): path for name, path in settings["data"].items() if name.endswith("_FILE")}
    plain = {name: value for name, value in settings["data"].items() if not name.endswith("_FILE")}
    assert set(files) <= {f"TURNOUT_{name.upper()}" for name in OF_FILES}
    assert set(plain) <= {f"TURNOUT_{name.upper()}" for name in Settings.model_fields}
    assert not set(plain) & {f"TURNOUT_{name.upper()}" for name in OF_FILES}
    asked = set(re.findall(r"--from-file=([\w-]+)", (KUBERNETES / "base/settings.yaml").read_text()))
    assert {Path(path).name for path in files.values()} == asked
    for one in workloads(folder):
        container = container_of(one)
        assert container["envFrom"] == [{"configMapRef": {"name": settings["metadata"]["name"]}}]
        assert "env" not in container
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert {str(Path(path).parent) for path in files.values()} == {mounts["secrets"]}
        (secret,) = [volume["secret"] for volume in pod_of(one)["volumes"] if volume["name"] == "secrets"]
        assert secret["secretName"] == "turnout"
    assert not of_kind("Secret", folder), "a secret in a file of the repository"


def test_the_settings_of_the_example_are_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (settings,) = of_kind("ConfigMap", "overlays/production").values()
    urls = {"database-url": "postgresql://t@db/t", "broker-url": "redis://r", "redis-url": "redis://r"}
    for name, value in settings["data"].items():
        if name.endswith("_FILE"):
            (tmp_path / Path(value).name).write_text(urls.get(Path(value).name, ""))
            value = str(tmp_path / Path(value).name)  # noqa: PLW2901 - where the mount would be
        monkeypatch.setenv(name, value)
    read = Settings(_env_file=None)
    assert (read.database_url, read.hubspot_token.get_secret_value()) == ("postgresql://t@db/t", "")
    (ingress,) = of_kind("Ingress", "overlays/production").values()
    assert urlsplit(read.public_url).hostname == ingress["spec"]["rules"][0]["host"]
    assert ingress["spec"]["tls"][0]["hosts"] == [ingress["spec"]["rules"][0]["host"]]
    assert of_kind("Service").keys() >= {read.hosts}


@pytest.mark.parametrize("workload", workloads(), ids=lambda one: one["metadata"]["name"])
def test_a_pod_is_restricted(workload: Manifest) -> None:
    """As the pod security standard `restricted` asks for, and read-only."""
    pod, container = pod_of(workload), container_of(workload)
    user, group = of(RUNTIME, "USER")[0].text.split(":")
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": int(user),
        "runAsGroup": int(group),
        "fsGroup": int(group),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()


@pytest.mark.parametrize("workload", workloads(), ids=lambda one: one["metadata"]["name"])
def test_a_pod_has_its_share_of_a_node_and_no_variables_of_services(workload: Manifest) -> None:
    resources = container_of(workload)["resources"]
    assert {"cpu", "memory"} <= resources["requests"].keys()
    assert "memory" in resources["limits"]
    # A Service `turnout-web` would set TURNOUT_WEB_PORT: a name that is nearly a setting's stops a process.
    assert pod_of(workload)["enableServiceLinks"] is False


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_each_process_is_asked_at_the_port_where_it_answers(name: str) -> None:
    container = container_of(of_kind("Deployment")[name])
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    (settings,) = of_kind("ConfigMap").values()
    assert str(ports["monitor"]) == settings["data"]["TURNOUT_MONITOR_PORT"]
    assert str(ports["monitor"]) == pairs(RUNTIME, "ENV")["TURNOUT_MONITOR_PORT"]
    assert settings["data"]["TURNOUT_MONITOR_HOST"] == "0.0.0.0"
    # The API's own port opens only once its database is there.
    ready_at = "http" if name == "turnout-web" else "monitor"
    probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "startup": "/healthz",
        "liveness": "/healthz",
        "readiness": "/readyz",
    }
    assert {kind: probe["port"] for kind, probe in probes.items()} == {
        "startup": "monitor",
        "liveness": "monitor",
        "readiness": ready_at,
    }
    if ready_at == "http":
        assert container["args"][container["args"].index("--port") + 1] == str(ports["http"])
        (service,) = of_kind("Service").values()
        assert service["spec"]["ports"][0]["targetPort"] == "http"
        assert (
            service["spec"]["selector"].items()
            <= of_kind("Deployment")[name]["spec"]["template"]["metadata"]["labels"].items()
        )
    annotations = of_kind("Deployment")[name]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(ports["monitor"])


@pytest.mark.parametrize(("name", "process"), DEPLOYMENTS.items())
def test_a_stop_leaves_the_time_that_was_tried(name: str, process: str) -> None:
    """`test_installed` stops each process under work, and it ends within the time of its unit."""
    deployment = of_kind("Deployment")[name]
    pause = (
        container_of(deployment).get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
    )
    assert pause[0] == "sleep"
    grace = pod_of(deployment)["terminationGracePeriodSeconds"] - int(pause[1])
    assert grace >= read_unit(PROCESSES[process]).grace >= Settings.model_fields["timeout"].default + 10


def test_of_whatever_there_are_several_one_goes_at_a_time() -> None:
    budgets = of_kind("PodDisruptionBudget")
    deployments = of_kind("Deployment")
    assert budgets.keys() == {name for name, one in deployments.items() if one["spec"]["replicas"] > 1}
    for name, budget in budgets.items():
        assert budget["spec"]["selector"] == {"matchLabels": labels_of(name)}
        assert budget["spec"]["maxUnavailable"] == 1


def test_while_pods_are_replaced_web_keeps_all_and_the_rest_what_kubernetes_keeps() -> None:
    """Where nothing is said, at most a quarter is away; the page of upgrades says so."""
    strategies = {name: one["spec"].get("strategy") for name, one in of_kind("Deployment").items()}
    web = {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert strategies == dict.fromkeys(DEPLOYMENTS, None) | {"turnout-web": web}
    said = " ".join(text_of("docs/upgrading.md").split())
    assert "of each Deployment at least three quarters stay ready (`/readyz`), of web all." in said


def test_what_is_not_named_is_closed() -> None:
    policies = of_kind("NetworkPolicy")
    everybody = {"app.kubernetes.io/name": "turnout"}
    assert policies["turnout"]["spec"]["podSelector"] == {"matchLabels": everybody}
    assert set(policies["turnout"]["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    for one in workloads():
        assert everybody.items() <= one["spec"]["template"]["metadata"]["labels"].items()
    (monitor,) = policies["turnout"]["spec"]["ingress"]
    (settings,) = of_kind("ConfigMap").values()
    assert [str(port["port"]) for port in monitor["ports"]] == [settings["data"]["TURNOUT_MONITOR_PORT"]]
    assert policies["turnout-web"]["spec"]["podSelector"] == {"matchLabels": labels_of("turnout-web")}
    (web,) = policies["turnout-web"]["spec"]["ingress"]
    assert [port["port"] for port in web["ports"]] == [8800]
    producers = [one["podSelector"]["matchLabels"] for one in web["from"] if "podSelector" in one]
    assert producers == [{"turnout-producer": "true"}], "a producer's pods are not Turnout's"
    out = {port["port"] for rule in policies["turnout"]["spec"]["egress"] for port in rule["ports"]}
    assert out == {53, 5432, 6379, 5671, 5672, 443, 4318}


def test_delivery_grows_with_the_age_of_the_oldest_record_that_is_due() -> None:
    folder = "overlays/autoscaled"
    (scaled,) = of_kind("ScaledObject", folder).values()
    deployments = of_kind("Deployment", folder)
    assert scaled["spec"]["scaleTargetRef"]["name"] in deployments
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["type"] == "prometheus"
    assert {"serverAddress", "query", "threshold"} == trigger["metadata"].keys()
    assert trigger["metadata"]["query"].startswith("max(turnout_oldest_due_record_age_seconds{")
    assert scaled["spec"]["minReplicaCount"] >= of_kind("Deployment")["turnout-delivery"]["spec"]["replicas"]
    (web,) = of_kind("HorizontalPodAutoscaler", folder).values()
    autoscaled = {scaled["spec"]["scaleTargetRef"]["name"], web["spec"]["scaleTargetRef"]["name"]}
    assert {name for name, one in deployments.items() if "replicas" not in one["spec"]} == autoscaled


def test_the_metric_by_which_it_grows_exists() -> None:
    from worker.metrics import definitions

    assert "turnout_oldest_due_record_age_seconds" in Path(definitions.__file__).read_text()

"""What charts and compose.yaml pass is what the services understand."""

import pathlib
from collections.abc import Callable
from typing import Any

import click
import pytest
import yaml

import flagger_controller.operator.cli as controller
import flagger_gatekeeper.__main__ as gatekeeper
import flagger_helmtester.__main__ as helmtester
import flagger_loadtester.cli as loadtester
from flagger_controller.operator import shards
from flagger_gatekeeper import rules

Object = dict[str, Any]
Render = Callable[..., list[Object]]

CONTROLLER = controller.command(lambda settings: 0)
COMMANDS: dict[str, click.Command] = {
    "loadtester": loadtester.command,
    "gatekeeper": gatekeeper.main,
    "helmtester": helmtester.main,
}


def pod(objects: list[Object]) -> Object:
    workloads = (found for found in objects if found["kind"] in ("Deployment", "StatefulSet"))
    (workload,) = (each for each in workloads if "prometheus" not in each["metadata"]["name"])
    found: Object = workload["spec"]["template"]["spec"]
    return found


def parse(service: str, arguments: list[str]) -> dict[str, Any]:
    return dict(COMMANDS[service].make_context(service, list(arguments)).params)


@pytest.mark.parametrize(
    ("chart", "settings"),
    [
        ("loadtester", ()),
        ("loadtester", ("cmd.timeout=5m", "cmd.namespaceRegexp=^test$")),
        ("loadtester", ("compat=true",)),
        ("loadtester", ("allowShell=true", "allowedCommands={hey,jq}", "files={/a,/b}")),
        ("loadtester", ("limits.concurrency=5", "limits.duration=5m", "limits.requests=1000000")),
        ("loadtester", ("limits.perNamespace=2", "limits.background=9", "limits.queue=0")),
        ("loadtester", ("auth.existingSecret=s", "auth.tokenKey=t", "auth.hmacKey=h")),
        ("loadtester", ("verifyCanary=true",)),
        ("gatekeeper", ()),
        ("gatekeeper", ("store.type=sqlite",)),
        ("gatekeeper", ("store.type=memory",)),
        ("gatekeeper", ("gates.events=true",)),
        ("gatekeeper", ("gates.defaultMode=until", "gates.defaultTtl=1h", "gates.autoReset=true")),
        ("gatekeeper", ("auth.mode=kubernetes", "auth.accessReview=true", "auth.rateLimit=0")),
        ("gatekeeper", ("auth.mode=oidc", "auth.oidc.issuer=https://i", "auth.oidc.audience=a")),
        ("gatekeeper", ("auth.mode=static", "auth.secretName=s", "auth.checkToken=true")),
        ("helmtester", ()),
        ("helmtester", ("cmd.concurrency=2",)),
        ("helmtester", ("verifyCanary=true",)),
        ("helmtester", ("cmd.releaseNamespaces={a,b}", "cmd.failureStatus=422")),
        ("helmtester", ("cmd.impersonate=tests", "cmd.legacyUrl=http://l/", "jobs.enabled=true")),
        ("helmtester", ("auth.mode=token", "auth.existingSecret=s")),
        ("helmtester", ("auth.mode=hmac", "auth.existingSecret=s")),
    ],
)
def test_charts(render: Render, chart: str, settings: tuple[str, ...]) -> None:
    values = parse(chart, pod(render(chart, *settings))["containers"][0]["args"])
    assert values["port"] == 8080
    assert values["log_level"] == "info"


def test_rules_of_gates(render: Render) -> None:
    """As the process reads them."""
    first = "gates.rules[0]"
    window = f"{first}.windows[0]"
    settings = (
        f"{first}.gates[0]=promotion",
        f"{first}.approvals=2",
        f"{window}.cron=0 9 * * 1-5",
        f"{window}.duration=8h",
        f"{window}.timeZone=Europe/Berlin",
    )
    arguments = pod(render("gatekeeper", *settings))["containers"][0]["args"]
    (rule,) = rules.Rulebook.parse(parse("gatekeeper", arguments)["rules"]).rules
    assert (rule.names, rule.approvals) == (frozenset({"promotion"}), 2)
    assert [each.cron for each in rule.windows] == ["0 9 * * 1-5"]


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("prometheus.install=true", "namespace=apps", "leaderElection.enabled=true"),
        ("meshProvider=traefik", "selectorLabels=app", "includeLabelPrefix=a", "clusterName=c"),
        ("slack.url=http://s", "slack.channel=c", "slack.proxyUrl=http://p"),
        ("metricsServer=https://p", "metricsServerSecret=login"),
        ("msteams.url=http://s", "msteams.proxyUrl=http://p", "eventWebhook=http://e"),
        ("eventsAddr=http://flux",),
        ("kubeconfigQPS=1", "kubeconfigBurst=2", "threadiness=3", "noCrossNamespaceRefs=true"),
        ("ingressClass=c", "ingressAnnotationsPrefix=p", "configTracking.enabled=false"),
    ],
)
def test_controller(render: Render, settings: tuple[str, ...]) -> None:
    arguments = pod(render("flagger", *settings))["containers"][0]["args"]
    values = CONTROLLER.make_context("flagger", list(arguments)).params
    assert values["port"] == 8080
    assert values["log_level"] == "info"
    assert values["enable_leader_election"] is ("leaderElection.enabled=true" in settings)


def test_shards(render: Render) -> None:
    """As the process reads them in a Pod of the StatefulSet."""
    settings = ("shards.count=3", "shards.label=team")
    container = pod(render("flagger", *settings))["containers"][0]
    values = CONTROLLER.make_context("flagger", list(container["args"])).params
    (variable,) = container["env"]
    found = controller.settings_of(values, {variable["name"]: "flagger-4"})
    assert found.shard == shards.Shard(1, 3, "team")
    assert found.enable_leader_election


@pytest.mark.parametrize("service", COMMANDS)
def test_compose(root: pathlib.Path, service: str) -> None:
    compose = yaml.safe_load((root / "compose.yaml").read_text())
    assert parse(service, compose["services"][service]["command"])["port"] == 8080


def test_compose_controller(root: pathlib.Path) -> None:
    compose = yaml.safe_load((root / "compose.yaml").read_text())
    arguments = compose["services"]["controller"]["command"]
    assert CONTROLLER.make_context("flagger", list(arguments)).params["log_level"] == "info"


def test_pods_live_long_enough_to_finish(render: Render, root: pathlib.Path) -> None:
    """The server's own end comes before the kubelet's."""
    from flagger_gatekeeper import settings as gatekeeper_settings
    from flagger_helmtester import settings as helmtester_settings
    from flagger_loadtester import settings as loadtester_settings

    needed = {
        "loadtester": loadtester_settings.Settings().server().graceful_seconds,
        "gatekeeper": gatekeeper_settings.GRACEFUL_SECONDS,
        "helmtester": helmtester_settings.GRACEFUL_SECONDS,
    }
    compose = yaml.safe_load((root / "compose.yaml").read_text())["services"]
    for chart, seconds in needed.items():
        assert pod(render(chart))["terminationGracePeriodSeconds"] >= seconds
        assert int(compose[chart]["stop_grace_period"].removesuffix("s")) >= seconds

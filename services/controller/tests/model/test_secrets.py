"""No secret is ever shown: a failed release with every channel and source, and what it left.

All that is told goes to a server that repeats it. A new channel is here by itself, a new metric
source with a row in `SOURCES`.
"""

import base64
import logging
from collections.abc import Iterator
from typing import Any, Final

import pytest

from flagger_common import logs
from flagger_controller import net
from flagger_controller.api.alertprovider import CHANNELS
from flagger_controller.api.metrictemplate import METRIC_SOURCES
from flagger_controller.api.status import Phase
from flagger_controller.cluster.client import Object
from flagger_controller.operator.settings import Settings

from .parrot import Parrot
from .stage import Stage
from .targets import NAMESPACE

HUSH: Final = "hush"
"""All secrets have it in them."""
LOGIN: Final = ("hush-user", "hush-password")
SOURCES: Final[dict[str, dict[str, str]]] = {
    "prometheus": {"username": LOGIN[0], "password": LOGIN[1]},
    "datadog": {"datadog_api_key": HUSH, "datadog_application_key": HUSH},
    "newrelic": {"newrelic_account_id": "7", "newrelic_query_key": HUSH},
    "graphite": {"username": LOGIN[0], "password": LOGIN[1]},
    "influxdb": {"token": HUSH, "org": "shop"},
    "dynatrace": {"dynatrace_token": HUSH},
    "splunk": {"sf_token_key": HUSH},
    "externalmetrics": {"token": HUSH},
}
"""The keys of the Secret of each metric source that takes secrets to an address of the user's."""
ELSEWHERE: Final = {"keptn", "cloudwatch", "stackdriver"}
"""Those that log in as the controller, or with a key that never leaves it."""
KEYS: Final = {"token": "hush-token", "username": LOGIN[0], "password": LOGIN[1], "hmacKey": HUSH}
PATH: Final = "hush-path-of-a-hook?key=hush-query-of-a-hook"


def places(parrot: Parrot) -> dict[str, dict[str, Any]]:
    """Addresses that all go wrong, each in its own way, with the spec of a provider."""
    return {
        "no": {"address": f"{parrot.url}/no/{PATH}", "messageTemplate": "{{ nothing }}"},
        "moved": {"address": f"{parrot.url}/moved/{PATH}"},
        "odd": {"address": f"{parrot.url}/odd/{PATH}"},
        "bad": {"address": "hush-that-is-no-url"},
        "proxied": {"address": f"{parrot.url}/no/{PATH}", "proxy": "socks5://u:hush-proxy@proxy"},
    }


def channels(stage: Stage, parrot: Parrot) -> Iterator[Object]:
    """Every channel with every address, with a Secret; the entries of `alerts`."""
    for kind in CHANNELS:
        for place, spec in places(parrot).items():
            name, address = f"{kind}-{place}", spec.pop("address")
            secret = stage.secret(name, address=address, **KEYS)
            headers = {"X-Key": ["hush-header"]}
            yield stage.provider(name, type=kind, headers=headers, secretRef=secret, **spec)


def webhooks(stage: Stage, parrot: Parrot) -> Iterator[Object]:
    """Hooks with a Secret, whose receiver repeats what it got."""
    for kind in ("event", "rollout"):
        secret = stage.secret(f"hook-{kind}", **KEYS)
        yield {"name": kind, "type": kind, "url": f"{parrot.url}/no/", "secretRef": secret}


def source(stage: Stage, parrot: Parrot, kind: str) -> Object:
    """A metric source with a Secret; the metric that uses it."""
    secret = stage.secret(f"source-{kind}", **SOURCES[kind])
    return stage.template(kind, type=kind, address=f"{parrot.url}/no/", secretRef=secret)


async def failed(http: net.Http, parrot: Parrot) -> str:
    """Everything that was shown of releases that fail with every source and channel."""
    secret = f"{parrot.url}/no/{PATH}"
    settings = Settings(
        event_webhook=secret, events_addr=secret, slack_url=secret, slack_token="hush-token"
    )
    async with Stage(http, settings) as stage:
        metrics = {kind: [source(stage, parrot, kind)] for kind in SOURCES}
        canaries = [stage.deploy(f"source-{kind}", metrics=metrics[kind]) for kind in SOURCES]
        alerts = list(channels(stage, parrot))
        hooks = list(webhooks(stage, parrot))
        canaries.append(stage.deploy(NAMESPACE, webhooks=hooks, alerts=alerts))
        await stage.until(Phase.INITIALIZED, *canaries)
        for ref in canaries:
            stage.push(ref.namespace, "2")
        await stage.until(Phase.FAILED, *canaries)
    return "\n".join(stage.left())


def test_every_source_is_there() -> None:
    assert METRIC_SOURCES.keys() == SOURCES.keys() | ELSEWHERE


@pytest.mark.timeout(240)
async def test_no_secret_is_ever_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Parrot() as parrot:
        async with net.Http() as http:
            left = await failed(http, parrot)
    line = logs.JSONFormatter().format
    shown = "\n".join([left, *map(line, caplog.records)])
    every = [f"alert provider {kind}-{place}" for kind in CHANNELS for place in ("no", "bad")]
    every += [f"Metric query failed for {kind}" for kind in SOURCES]
    told = (*every, "alert can't be sent", "sending event to webhook", "sending event to Flux")
    told = (*told, "external check rollout failed")
    for text in (*told, "Canary failed!", "messageTemplate error"):
        assert text in shown, "everything went wrong that can"
    heard = "".join(parrot.heard)
    basic = base64.b64encode(":".join(LOGIN).encode()).decode()
    assert "hush-token" in heard
    assert basic in heard
    for secret in (HUSH, basic):
        found = [each for each in shown.splitlines() if secret in each]
        assert not found, found[:5]

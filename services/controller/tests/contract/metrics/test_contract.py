"""Every source that is asked over HTTP keeps the contract of `MetricSource` (metrics.md 9, 11)."""

import json
from collections.abc import Callable

import pytest

from flagger_controller.api.metrictemplate import METRIC_SOURCES
from flagger_controller.errors import ConfigError
from flagger_controller.metrics.base import NoValues, SourceError, SourceTimeout

from .cases import CASES, Case
from .conftest import Make, Provider

Behave = Callable[[Case], None]

every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.type)
SPEAKING_OTHERWISE = {"cloudwatch", "keptn", "splunk", "stackdriver"}
"""Sources with tests of their own."""


def answers(kind: str) -> pytest.MarkDecorator:
    """Each answer of that kind of each provider."""
    cases = [(case, answer) for case in CASES for answer in getattr(case, kind)]
    names = [f"{case.type}-{number}" for number, (case, _) in enumerate(cases)]
    return pytest.mark.parametrize(("case", "answer"), cases, ids=names)


def test_every_source_has_a_case() -> None:
    assert {case.type for case in CASES} | SPEAKING_OTHERWISE == set(METRIC_SOURCES)


@every
async def test_asks_as_the_provider_wants(
    make: Make, server: Provider, answering: Behave, case: Case
) -> None:
    answering(case)
    assert await make(case).query(case.query) == case.value
    (request,) = server.requests
    assert request.method == case.method
    assert request.path == case.path
    assert request.args.to_dict() == case.parameters
    assert (json.loads(request.data) if request.data else None) == case.body


@answers("empty")
async def test_no_values_are_no_value(
    make: Make, server: Provider, case: Case, answer: str
) -> None:
    server.answer(case.path, answer)
    with pytest.raises(NoValues, match=r"^no values found"):
        await make(case).query(case.query)


@answers("nonsense")
async def test_nonsense_is_an_error(make: Make, server: Provider, case: Case, answer: str) -> None:
    server.answer(case.path, answer)
    with pytest.raises(SourceError) as raised:
        await make(case).query(case.query)
    assert not isinstance(raised.value, SourceTimeout)


@every
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
async def test_bad_statuses_are_errors(
    make: Make, server: Provider, case: Case, status: int
) -> None:
    server.answer(case.path, "go away", status)
    with pytest.raises(SourceError, match=f"^{case.refusal}.*go away") as raised:
        await make(case).query(case.query)
    if case.type != "graphite":  # upstream's text has no place for it
        assert str(status) in str(raised.value)


@every
async def test_a_server_that_is_not_there_is_an_error(
    make: Make, case: Case, unused_tcp_port: int
) -> None:
    source = make(case, address=f"http://127.0.0.1:{unused_tcp_port}")
    for asked in (source.query(case.query), source.online()):
        with pytest.raises(SourceError, match="request failed: Cannot connect"):
            await asked


@every
async def test_online(make: Make, server: Provider, answering: Behave, case: Case) -> None:
    answering(case)
    server.answer(case.probe, case.probed)
    await make(case).online()
    assert server.requests[0].path == case.probe
    server.answer(case.probe, "down", 503)
    with pytest.raises(SourceError, match="down"):
        await make(case).online()


@every
async def test_secrets_stay_out_of_errors_and_logs(
    make: Make,
    server: Provider,
    answering: Behave,
    case: Case,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The server repeats what it got, and the client is asked for its repr."""
    caplog.set_level("DEBUG", "flagger_controller")
    caplog.set_level("DEBUG", "aiohttp")
    answering(case)
    server.headers["X-Else"] = "never sent"
    source = make(case)
    texts = []
    for asked in (source.query(case.query), source.online()):
        with pytest.raises(SourceError, match="who is") as raised:
            await asked
        texts.append(f"{raised.value}{source!r}{caplog.text}")
    assert not [secret for secret in case.secrets for text in texts if secret in text]


@every
def test_mandatory_keys(make: Make, case: Case) -> None:
    for key, name in case.keys.items():
        rest = {other: value for other, value in case.secret.items() if other != key}
        with pytest.raises(ConfigError) as raised:
            make(case, rest)
        assert str(raised.value) == f"{case.type} credentials does not contain {name}"


@pytest.mark.parametrize("kind", ["datadog", "newrelic", "dynatrace"])
@pytest.mark.parametrize("interval", ["", "1min", "0s", "-1m"])
def test_windows_are_lengths_of_time(make: Make, kind: str, interval: str) -> None:
    (case,) = (case for case in CASES if case.type == kind)
    with pytest.raises(ConfigError, match=r"^error parsing metric interval: "):
        make(case, interval=interval)

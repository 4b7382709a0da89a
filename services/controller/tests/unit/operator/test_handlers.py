"""What happens when the watch reports a Canary, a MetricTemplate or an AlertProvider."""

import itertools
from dataclasses import dataclass, field
from typing import Any, cast

import kopf
import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.cluster.heard import nobody
from flagger_controller.cluster.login import Login
from flagger_controller.operator import handlers
from flagger_controller.operator.handlers import Feed
from flagger_controller.operator.shards import WHOLE, Shard
from flagger_controller.operator.store import CanaryStore, TemplateStore

from .bodies import broken, canary, provider, template

KEY = "cart.shop"


@dataclass
class Bench:
    """A feed and everything it told."""

    canaries: CanaryStore = field(default_factory=CanaryStore)
    templates: TemplateStore = field(default_factory=TemplateStore)
    woken: list[str] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    shard: Shard = WHOLE
    feed: Feed = field(init=False)

    def __post_init__(self) -> None:
        self.feed = Feed(
            self.canaries,
            self.templates,
            wake=self.woken.append,
            gone=self._gone,
            counted=self.counts.__setitem__,
            shard=self.shard,
        )

    def _gone(self, key: str, canary: Canary | None) -> None:
        assert self.canaries.get(key) is None, "forgotten before it is told"
        self.gone.append((key, canary.target if canary else ""))


@pytest.fixture
def bench() -> Bench:
    return Bench()


# Canaries


@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED"])
def test_a_canary_that_is_new_is_stored_counted_and_woken(bench: Bench, kind: str | None) -> None:
    bench.feed.canary(kind, canary())
    assert bench.canaries.get(KEY) is not None
    assert bench.woken == [KEY]
    assert bench.counts == {"shop": 1}
    assert bench.gone == []


def test_a_changed_canary_is_woken(bench: Bench) -> None:
    bench.feed.canary("ADDED", canary(version=5))
    bench.feed.canary("MODIFIED", canary(version=6, suspend=True))
    found = bench.canaries.get(KEY)
    assert found is not None
    assert found[0].spec.suspend
    assert bench.woken == [KEY, KEY]
    assert bench.counts == {"shop": 1}


def test_our_own_write_wakes_nobody(bench: Bench) -> None:
    bench.feed.canary("ADDED", canary(version=5))
    bench.canaries.put(canary(version=7))  # what the API server answered to a commit
    bench.woken.clear()
    bench.feed.canary("MODIFIED", canary(version=7))
    assert bench.woken == []


def test_an_outdated_version_is_ignored(bench: Bench) -> None:
    bench.feed.canary("ADDED", canary(version=7))
    bench.woken.clear()
    bench.feed.canary("MODIFIED", canary(version=6, suspend=True))
    bench.feed.canary("MODIFIED", broken(version=6))
    found = bench.canaries.get(KEY)
    assert found is not None
    assert not found[0].spec.suspend
    assert bench.canaries.rejected == {}
    assert bench.woken == []


def test_a_deleted_canary_is_forgotten(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench.feed.canary("ADDED", canary())
    bench.feed.canary("ADDED", canary("other"))
    bench.feed.canary("DELETED", canary(version=9))
    assert bench.canaries.keys() == {"other.shop"}
    assert bench.gone == [(KEY, "cart")]
    assert bench.counts == {"shop": 1}
    assert caplog.messages == [f"Deleting {KEY} from cache"]
    bench.feed.canary("DELETED", canary("other", version=9))
    assert bench.counts == {"shop": 0}


def test_a_deletion_of_an_unknown_canary_is_told_too(bench: Bench) -> None:
    bench.feed.canary("DELETED", canary())
    assert bench.gone == [(KEY, "")]
    assert bench.counts == {"shop": 0}


def test_namespaces_are_counted_apart(bench: Bench) -> None:
    bench.feed.canary("ADDED", canary())
    bench.feed.canary("ADDED", canary(namespace="other"))
    bench.feed.canary("ADDED", canary("two", namespace="other"))
    assert bench.counts == {"shop": 1, "other": 2}


def test_names_may_contain_dots(bench: Bench) -> None:
    bench.feed.canary("ADDED", canary("cart.v2"))
    bench.feed.canary("DELETED", canary("cart.v2"))
    assert bench.counts == {"shop": 0}


def test_what_cannot_be_decoded_is_kept_apart_with_its_reason(bench: Bench) -> None:
    body = broken()
    bench.feed.canary("ADDED", body)
    assert bench.canaries.get(KEY) is None
    rejected, reason = bench.canaries.rejected[KEY]
    assert rejected is body
    assert reason.startswith("spec.service.port: Input should be a valid integer")
    assert bench.woken == [KEY]


def test_every_field_that_is_wrong_is_named(bench: Bench) -> None:
    body = broken(version=5)
    body["spec"]["analysis"] = {"iterations": "many"}
    bench.feed.canary("ADDED", body)
    reason = bench.canaries.rejected[KEY][1]
    assert "spec.service.port: " in reason
    assert "; spec.analysis.iterations: " in reason


def test_a_canary_that_was_good_and_is_mended_again(bench: Bench) -> None:
    bench.feed.canary("ADDED", canary(version=5))
    bench.feed.canary("MODIFIED", broken(version=6))
    assert bench.canaries.get(KEY) is None
    assert bench.canaries.keys() == {KEY}
    bench.feed.canary("MODIFIED", canary(version=7))
    assert bench.canaries.rejected == {}
    assert bench.canaries.get(KEY) is not None
    assert bench.woken == [KEY] * 3
    assert bench.counts == {"shop": 1}


def test_a_rejected_canary_can_be_deleted(bench: Bench) -> None:
    bench.feed.canary("ADDED", broken())
    bench.feed.canary("DELETED", broken())
    assert bench.canaries.keys() == set()
    assert bench.gone == [(KEY, "")]


def test_a_renamed_service_leaves_a_warning(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.feed.canary("ADDED", canary(version=5, service={"port": 80, "name": "shop"}))
    bench.feed.canary("MODIFIED", canary(version=6, service={"port": 80, "name": "shop"}))
    assert caplog.messages == []
    bench.feed.canary("MODIFIED", canary(version=7))
    (record,) = caplog.records
    assert record.message == (
        "The service name changed to cart, remove shop objects to avoid routing conflicts"
    )
    assert getattr(record, "canary", "") == KEY


def test_a_service_that_had_no_name_of_its_own_leaves_none(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.feed.canary("ADDED", canary(version=5))
    bench.feed.canary("MODIFIED", canary(version=6, service={"port": 80, "name": "shop"}))
    assert caplog.messages == []


# MetricTemplates


def using(name: str, **reference: str) -> dict[str, Any]:
    metrics = [{"name": "m", "templateRef": {"name": name, **reference}}]
    return {"analysis": {"stepWeight": 10, "metrics": metrics}}


def test_a_template_wakes_the_canaries_that_use_it(bench: Bench) -> None:
    bench.feed.canary("ADDED", canary("own", **using("errors")))
    bench.feed.canary("ADDED", canary("same", **using("errors", namespace="shop")))
    bench.feed.canary("ADDED", canary("foreign", namespace="else", **using("errors")))
    bench.feed.canary("ADDED", canary("far", namespace="x", **using("errors", namespace="shop")))
    bench.feed.canary("ADDED", canary("unrelated", **using("latency")))
    bench.feed.canary("ADDED", canary("none"))
    bench.woken.clear()
    for kind in (None, "ADDED", "MODIFIED", "DELETED"):
        bench.feed.template(kind, template())
        assert sorted(bench.woken) == ["far.x", "own.shop", "same.shop"]
        bench.woken.clear()


def test_templates_come_change_and_go(bench: Bench) -> None:
    bench.feed.template(None, template())
    bench.feed.template("MODIFIED", template(query="better"))
    assert bench.templates.templates["shop", "errors"].spec.query == "better"
    bench.feed.template("DELETED", template())
    assert bench.templates.templates == {}
    bench.feed.template("DELETED", template())


def test_a_template_that_cannot_be_decoded_is_gone_and_told(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.feed.template("ADDED", template())
    bench.feed.template("MODIFIED", template(query=None))
    assert bench.templates.templates == {}
    (text,) = caplog.messages
    assert text.startswith("MetricTemplate errors.shop: spec.query: ")


# AlertProviders


def test_providers_come_change_and_go(bench: Bench) -> None:
    bench.feed.canary("ADDED", canary())
    bench.woken.clear()
    bench.feed.provider(None, provider())
    bench.feed.provider("MODIFIED", provider(channel="deploys"))
    assert bench.templates.providers["shop", "chat"].spec.channel == "deploys"
    bench.feed.provider("DELETED", provider())
    assert bench.templates.providers == {}
    assert bench.woken == [], "looked up when an alert is sent"


def test_a_provider_that_cannot_be_decoded_is_gone_and_told(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.feed.provider("ADDED", provider())
    bench.feed.provider("MODIFIED", provider(type=None))
    assert bench.templates.providers == {}
    (text,) = caplog.messages
    assert text.startswith("AlertProvider chat.shop: spec.type: ")


# kopf


def test_kopf_writes_nothing_and_scans_nothing() -> None:
    settings = handlers.settings()
    assert not settings.posting.enabled
    assert settings.scanning.disabled
    storage = settings.persistence.diffbase_storage
    assert storage.fetch(body=cast("Any", {})) is None
    assert storage.build(body=cast("Any", canary())) == {}, "no copy of each object"
    patch = kopf.Patch()
    storage.store(body=cast("Any", {}), patch=patch, essence=cast("Any", {}))
    assert not patch


async def test_kopf_watches_our_three_kinds_with_raw_handlers_only(bench: Bench) -> None:
    registry = handlers.registry(bench.feed, Login("http://127.0.0.1:1"), nobody)
    watching = {str(handler.id): handler for handler in registry._watching.get_all_handlers()}
    assert set(watching) == {"canaries", "metrictemplates", "alertproviders"}
    for others in (registry._changing, registry._spawning, registry._indexing):
        assert not list(cast("Any", others).get_all_handlers())
    for plural, body in (
        ("canaries", canary()),
        ("metrictemplates", template()),
        ("alertproviders", provider()),
    ):
        await cast("Any", watching[plural].fn)(event={"type": None, "object": body}, extra=1)
    assert bench.canaries.keys() == {KEY}
    assert set(bench.templates.templates) == {("shop", "errors")}
    assert set(bench.templates.providers) == {("shop", "chat")}


def test_an_outage_never_ends_the_watch_of_canaries() -> None:
    """Kopf gives up when its list of pauses ends, and begins it anew for each request."""
    backoffs = handlers.Backoffs(jitter=lambda: 1.0)
    for _ in range(2):
        assert list(itertools.islice(backoffs, 8)) == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert next(iter(handlers.Backoffs(jitter=lambda: 0.0))) == 0.25
    assert isinstance(handlers.settings().networking.error_backoffs, handlers.Backoffs)

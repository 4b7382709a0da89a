"""What ticks announce to, and ask: adapters between the tick's contracts and the families."""

import asyncio
import base64
from collections.abc import Mapping

from flagger_controller.api import knative
from flagger_controller.api.alertprovider import AlertProvider
from flagger_controller.api.canary import Canary, Webhook
from flagger_controller.api.metrictemplate import MetricTemplate
from flagger_controller.api.status import Phase
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import KubeClient, Ref
from flagger_controller.cluster.events import EventRecorder, Subject
from flagger_controller.errors import NotFound
from flagger_controller.hooks.client import HookClient
from flagger_controller.metrics.evaluate import Evaluator
from flagger_controller.metrics.recorder import Recorder
from flagger_controller.operator.store import TemplateStore
from flagger_controller.rollout.decision import Event, Outcome
from flagger_controller.rollout.evidence import (
    Answer,
    Check,
    HookCheck,
    Measured,
    MetricCheck,
    MetricPart,
    ProvidersCheck,
    Result,
    Unmeasured,
)
from flagger_controller.rollout.judging import verdict
from flagger_controller.tick.announce import EventHooks
from flagger_controller.tick.commit import ref_of


class KubeEvents:
    """Events about Canaries."""

    def __init__(self, recorder: EventRecorder) -> None:
        self._recorder = recorder

    def record(self, canary: Canary, text: str, *, warning: bool) -> None:
        """Queue an Event."""
        metadata = canary.metadata
        subject = Subject(ref_of(canary), metadata.uid, metadata.resource_version)
        self._recorder.record(subject, text, warning=warning)

    async def settled(self, canary: Canary) -> None:
        """Return when nothing about this Canary is queued any more."""
        await self._recorder.settled(ref_of(canary), canary.metadata.uid)


class Listeners:
    """Everybody who is told of events besides Kubernetes: event hooks, Flux."""

    def __init__(self, *listeners: EventHooks) -> None:
        self._listeners = listeners

    def send(self, canary: Canary, event: Event, *, phase: Phase, checksum: str) -> None:
        """Queue one event for each."""
        for listener in self._listeners:
            listener.send(canary, event, phase=phase, checksum=checksum)

    async def settled(self, canary: Canary) -> None:
        """Return when nothing about this Canary is queued any more."""
        await asyncio.gather(*(listener.settled(canary) for listener in self._listeners))


class Gauges:
    """The series of one canary."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def outcome(self, canary: Canary, outcome: Outcome) -> None:
        """Count a finished analysis."""
        self._recorder.count_outcome(canary, outcome)

    def show(self, canary: Canary) -> None:
        """Show phase, weights and progress."""
        self._recorder.show(canary)

    def analysed(self, canary: Canary, seconds: float) -> None:
        """Observe how long an analysis took."""
        self._recorder.observe_duration(canary, seconds)


class CountedHooks:
    """Webhooks, with every call counted."""

    def __init__(self, client: HookClient, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder

    async def call(self, hook: Webhook, payload: bytes, namespace: str) -> Answer:
        """Post the payload; an error is an answer too."""
        answer = await self._client.call(hook, payload, namespace)
        self._recorder.count_hook(hook.kind.value, ok=answer.ok)
        return answer


class Tally:
    """Checks, counted by what came of them."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def answered(self, canary: Canary, check: Check, result: Result, seconds: float) -> None:
        """Count a check, and how long it took."""
        kind, name = _named(canary, check)
        self._recorder.process.checked(kind, seconds)
        self._recorder.progress.count_check(canary, name, _result(canary, check, result))


def _named(canary: Canary, check: Check) -> tuple[str, str]:
    """Kind and name of a check."""
    match check:
        case HookCheck(kind, index):
            return kind.value, canary.analysis.hooks(kind)[index].name
        case MetricCheck(index, part):
            return part.value, canary.analysis.metrics[index].name
        case ProvidersCheck():
            return "providers", "providers"


def _result(canary: Canary, check: Check, result: Result) -> str:
    match result:
        case Answer(ok):
            passed = ok
        case Unmeasured():
            return result.verdict.value
        case Measured():
            passed = not isinstance(check, MetricCheck) or not verdict(canary, check, result)
    return "passed" if passed else "failed"


class Judge:
    """Metric sources, with the value of every measurement exported."""

    def __init__(self, evaluator: Evaluator, recorder: Recorder) -> None:
        self._evaluator = evaluator
        self._recorder = recorder

    async def measure(self, canary: Canary, check: MetricCheck) -> Measured | Unmeasured:
        """Measure one metric in one way."""
        metric = canary.analysis.metrics[check.index]
        reading = await self._evaluator.measure(canary, metric, check.part)
        if isinstance(reading, Measured):
            builtin = check.part is MetricPart.BUILTIN
            self._recorder.set_metric(canary, metric.name, reading.value, builtin=builtin)
        return reading

    async def providers(self, canary: Canary) -> Answer:
        """Are all sources of this canary reachable?"""
        return await self._evaluator.check_providers(canary)


class Lookup:
    """Objects that metrics and alerts refer to."""

    def __init__(self, client: KubeClient, templates: TemplateStore) -> None:
        self._client = client
        self._templates = templates

    async def template(self, namespace: str, name: str) -> MetricTemplate:
        """A MetricTemplate, from the watch; raises NotFound."""
        found = self._templates.templates.get((namespace, name))
        if found is None:
            raise NotFound(f"MetricTemplate {name}.{namespace} not found")
        return found

    async def provider(self, namespace: str, name: str) -> AlertProvider:
        """An AlertProvider, from the watch; raises NotFound."""
        found = self._templates.providers.get((namespace, name))
        if found is None:
            raise NotFound(f"AlertProvider {name}.{namespace} not found")
        return found

    async def secret(self, namespace: str, name: str) -> Mapping[str, str]:
        """The decoded data of a Secret, read anew each time; raises NotFound."""
        body = await self._client.get(Ref(resources.SECRETS, name, namespace))
        data = body.get("data") or {}
        return {
            key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()
        }

    async def revision(self, namespace: str, name: str) -> str:
        """The latest revision of a Knative Service, read anew each time; raises NotFound."""
        body = await self._client.get(Ref(resources.KNATIVE_SERVICES, name, namespace))
        if found := knative.latest(body):
            return found
        raise NotFound(f"Knative Service {name}.{namespace} has no revision")

"""Measures the metrics of a canary (metrics.md sections 5 to 8, 10); every text is interface.

Bounds are not this module's business (`rollout/thresholds.py`), nor is the order of the checks
(`rollout/judging.py`).
"""

import functools
from collections.abc import Mapping
from typing import Final

from flagger_controller import seats, secrecy
from flagger_controller.api.canary import Canary, Metric
from flagger_controller.api.metrictemplate import METRIC_SOURCES
from flagger_controller.errors import ConfigError, FlaggerError, NotFound
from flagger_controller.metrics import (
    observers,
    template,
    templates,
    variables,
)
from flagger_controller.metrics.base import (
    Context,
    MetricSource,
    NoValues,
    SourceError,
    SourceTimeout,
)
from flagger_controller.metrics.prometheus import Prometheus
from flagger_controller.metrics.templates import Lookups, Settings
from flagger_controller.metrics.turns import Turns
from flagger_controller.metrics.variables import Variables
from flagger_controller.rollout import thresholds
from flagger_controller.rollout.evidence import Answer, Measured, MetricPart, Unmeasured

_NOTHING_USABLE: Final = (
    "Metric query failed for no usable metrics template and query were configured"
)
Reading = Measured | Unmeasured


class _Failed(Exception):
    """Ends a measurement, with the complete event text."""

    def __init__(self, text: str, cause: FlaggerError | None = None) -> None:
        super().__init__(text)
        failed, late = not isinstance(cause, NoValues), isinstance(cause, SourceTimeout)
        self.reading = Unmeasured(text, failed=failed, late=late)


class Evaluator:
    """Measures metrics and checks that their providers can be reached."""

    def __init__(
        self,
        context: Context,
        lookups: Lookups,
        settings: Settings,
        sources: Mapping[str, str] = METRIC_SOURCES,
    ) -> None:
        turns = Turns()
        self._kept = functools.lru_cache(templates.KEPT)(
            lambda address, secret: turns.share(
                Prometheus.at(address, context, dict(secret)), "prometheus", address
            )
        )
        self._lookups = lookups
        self._settings = settings
        self._templates = templates.Templates(context, lookups, settings, sources, turns)

    async def measure(self, canary: Canary, metric: Metric, part: MetricPart) -> Reading:
        """The value of one part of an entry of `analysis.metrics`, or why there is none.

        The unit is the one of the bounds: milliseconds for the built-in request duration.

        Raises:
            FlaggerError: the cluster could not be asked; that is no answer about the metric.
        """
        try:
            with seats.left():
                return Measured(await self._value(canary, metric, part))
        except _Failed as failure:
            return failure.reading

    async def check_providers(self, canary: Canary) -> Answer:
        """Whether the providers of all metrics answer (metrics.md section 10); advice only.

        Built-ins need Prometheus, templates their own source; inline queries are not checked.
        The error is the text after `Error checking metric providers: `.
        """
        try:
            with seats.left():
                for metric in canary.analysis.metrics:
                    await self._check_provider(canary, metric)
        except FlaggerError as error:
            return Answer(ok=False, error=str(error))
        return Answer(ok=True)

    async def probe(self) -> None:
        """Ask whether the metrics server of the process is there.

        Raises:
            SourceError: it does not answer.
            ConfigError: its address is not a URL, or its login is missing.
        """
        await self._at(self._settings.metrics_server).online()

    async def _value(self, canary: Canary, metric: Metric, part: MetricPart) -> float:
        names = variables.of(canary, metric, await self._revision(canary))
        match part:
            case MetricPart.BUILTIN:
                return await self._builtin(canary, metric, names)
            case MetricPart.QUERY:
                return await self._inline(canary, metric, names)
            case MetricPart.TEMPLATE:
                return await self._template(canary, metric, names)

    async def _check_provider(self, canary: Canary, metric: Metric) -> None:
        if metric.name in thresholds.BUILTINS:
            await self._check_prometheus(canary)
        elif metric.template_ref is not None:
            await self._templates.check(canary, metric)

    async def _check_prometheus(self, canary: Canary) -> None:
        try:
            await self._prometheus(canary).online()
        except (SourceError, ConfigError) as error:
            raise SourceError(f"prometheus not avaiable: {error}") from error

    def _prometheus(self, canary: Canary) -> MetricSource:
        return self._at(canary.spec.metrics_server or self._settings.metrics_server)

    def _at(self, address: str) -> MetricSource:
        """The server at an address.

        Only the process's own one gets the login: whoever may write a Canary could have it sent
        anywhere otherwise (sharp edge M26).
        """
        own = address == self._settings.metrics_server
        secret = self._lookups.server_secret() if own else {}
        return self._kept(address, frozenset(secret.items()))

    async def _revision(self, canary: Canary) -> str:
        """What takes the place of the route for Knative (metrics.md section 3).

        Asked only where Knative moves this canary's traffic, not whenever the global provider
        is Knative (sharp edge M24).
        """
        provider = canary.spec.provider or self._settings.mesh_provider
        if provider != "knative":
            return ""
        try:
            return await self._lookups.knative_revision(canary.namespace, canary.target)
        except NotFound as error:
            name = f"{canary.namespace}/{canary.target}"
            raise _Failed(f"Error fetching Knative service {name} {error}") from error

    async def _builtin(self, canary: Canary, metric: Metric, names: Variables) -> float:
        provider = observers.provider_string(canary, self._settings.mesh_provider)
        source = self._server(canary)
        rate = metric.name == thresholds.SUCCESS_RATE
        try:
            observer = observers.observer(provider)
            query = observer.success_rate if rate else observers.duration(observer, metric)
        except ConfigError as error:
            raise _Failed(f"Prometheus query failed: {error}") from error
        prefix = "" if observer.plain_errors else "running query failed: "
        try:
            extended = variables.for_observer(names, canary, observer)
            value = await source.query(template.render(query, extended))
        except NoValues as error:
            text = _no_traffic(canary, metric, provider, f"{prefix}{error}")
            raise _Failed(text, error) from error
        except SourceError as error:
            raise _Failed(f"Prometheus query failed: {prefix}{error}", error) from error
        return value * 1000 if observer.seconds and not rate else value

    async def _inline(self, canary: Canary, metric: Metric, names: Variables) -> float:
        source = self._server(canary)
        try:
            return await source.query(template.render(metric.query, names))
        except NoValues as error:
            text = f"Halt advancement no values found for metric: {metric.name}"
            raise _Failed(text, error) from error
        except (SourceError, ConfigError) as error:
            text = f"Prometheus query failed for {metric.name}: {error}"
            raise _Failed(text, error) from error

    async def _template(self, canary: Canary, metric: Metric, names: Variables) -> float:
        if metric.template_ref is None:
            raise _Failed(_NOTHING_USABLE)
        try:
            return await self._templates.query(canary, metric, names)
        except NoValues as error:
            text = f"Halt advancement no values found for custom metric: {metric.name}: {error}"
            raise _Failed(text, error) from error
        except SourceError as error:
            raise _Failed(f"Metric query failed for {metric.name}: {error}", error) from error
        except ConfigError as error:
            raise _Failed(str(error)) from error

    def _server(self, canary: Canary) -> MetricSource:
        try:
            return self._prometheus(canary)
        except ConfigError as error:
            address = secrecy.public(canary.spec.metrics_server or self._settings.metrics_server)
            text = f"Error building Prometheus client for {address} {error}"
            raise _Failed(text) from error


def _no_traffic(canary: Canary, metric: Metric, provider: str, cause: str) -> str:
    text = (
        f"Halt advancement no values found for {provider} metric {metric.name}"
        f" probably {canary.target}.{canary.namespace} is not receiving traffic"
    )
    if metric.name == thresholds.SUCCESS_RATE:
        text += f": {cause}"
    return text

"""MetricTemplates: from a reference to a number (metrics.md section 8).

A source is kept while its template and its Secret stay as they are: logins and connections of
SDKs are expensive. Both are looked up at every check, so a change counts from the next one on.
"""

import importlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from flagger_controller.api.canary import Canary, Metric
from flagger_controller.api.metrictemplate import MetricTemplate
from flagger_controller.errors import ConfigError, FlaggerError, NotFound
from flagger_controller.metrics import template, variables
from flagger_controller.metrics.base import (
    Context,
    MetricSource,
    Secret,
    Setup,
    SourceError,
    SourceFactory,
)
from flagger_controller.metrics.turns import Turns
from flagger_controller.metrics.variables import Variables

logger = logging.getLogger(__name__)

KEPT: Final = 500
"""Sources that are kept, those that were used last."""


@dataclass(frozen=True)
class Lookups:
    """Where the objects come from that metrics refer to; each raises NotFound."""

    template: Callable[[str, str], Awaitable[MetricTemplate]]
    """A MetricTemplate by namespace and name."""
    secret: Callable[[str, str], Awaitable[Secret]]
    """The decoded data of a Secret by namespace and name."""
    knative_revision: Callable[[str, str], Awaitable[str]]
    """`status.latestCreatedRevisionName` of a Knative Service by namespace and name."""
    server_secret: Callable[[], Secret] = dict
    """The login of the process's metrics server; raises ConfigError. Empty: it wants none."""


@dataclass(frozen=True)
class Settings:
    """What flags say about metrics."""

    mesh_provider: str = "istio"
    """Chooses the built-in queries of canaries without a provider of their own."""
    metrics_server: str = "http://prometheus:9090"
    """Prometheus for built-in metrics and inline queries, unless the canary has its own."""
    cross_namespace: bool = True
    """Templates may live in other namespaces; checked on every use, not only at sync (M34)."""


class Templates:
    """Runs the queries of MetricTemplates."""

    def __init__(
        self,
        context: Context,
        lookups: Lookups,
        settings: Settings,
        sources: Mapping[str, str],
        turns: Turns,
    ) -> None:
        self._context = context
        self._lookups = lookups
        self._settings = settings
        self._sources = sources
        self._turns = turns
        self._kept: OrderedDict[Hashable, tuple[Setup, MetricSource]] = OrderedDict()

    async def query(self, canary: Canary, metric: Metric, names: Variables) -> float:
        """Fill in and run the query of a metric's template.

        Raises:
            NoValues: the source has none.
            SourceError: the source could not be asked.
            ConfigError: anything before that, as complete event text.
            FlaggerError: the cluster could not be asked for template or Secret.
        """
        title = f"Metric template {_title(canary, metric)}"
        found, source = await self._prepare(canary, metric, title)
        try:
            text = template.render(found.spec.query, names)
        except ConfigError as error:
            raise ConfigError(f"{title} query render error: {error}") from error
        logger.debug("%s query: %s", title, text, extra={"canary": canary.key})
        return await source.query(text)

    async def check(self, canary: Canary, metric: Metric) -> None:
        """Ask the source of a metric's template whether it is there (metrics.md section 10).

        Raises:
            ConfigError: template, secret or provider are at fault.
            SourceError: the source does not answer.
        """
        title = f"metric template {_title(canary, metric)}"
        found, source = await self._prepare(canary, metric, title)
        try:
            await source.online()
        except SourceError as error:
            kind = found.spec.provider.type
            raise SourceError(f"{kind} in {title} not avaiable: {error}") from error

    async def _prepare(
        self, canary: Canary, metric: Metric, title: str
    ) -> tuple[MetricTemplate, MetricSource]:
        namespace, name = _reference(canary, metric)
        if namespace != canary.namespace and not self._settings.cross_namespace:
            raise ConfigError(
                f"{title} error: can't access metric template {name}.{namespace},"
                " cross-namespace references are blocked"
            )
        found = await self._find(namespace, name, title)
        secret = await self._secret(found, namespace, title)
        try:
            source = self._source((namespace, name), self._setup(canary, metric, found, secret))
        except FlaggerError as error:
            kind = found.spec.provider.type
            raise ConfigError(f"{title} provider {kind} error: {error}") from error
        return found, source

    async def _find(self, namespace: str, name: str, title: str) -> MetricTemplate:
        try:
            return await self._lookups.template(namespace, name)
        except NotFound as error:
            absent = f'metrictemplate.flagger.app "{name}" not found'
            raise ConfigError(f"{title} error: {absent}") from error

    async def _secret(self, found: MetricTemplate, namespace: str, title: str) -> Secret:
        reference = found.spec.provider.secret_ref
        if reference is None:
            return {}
        title = f"{title} secret {reference.name} error"
        try:
            return await self._lookups.secret(namespace, reference.name)
        except NotFound as error:
            raise ConfigError(f'{title}: secrets "{reference.name}" not found') from error

    def _setup(
        self, canary: Canary, metric: Metric, found: MetricTemplate, secret: Secret
    ) -> Setup:
        provider, began = found.spec.provider, canary.status.run.started_at
        return Setup(
            provider,
            secret,
            variables.interval(metric),
            self._context,
            datetime.fromisoformat(began) if provider.within_run and began else None,
        )

    def _source(self, place: tuple[str, str], setup: Setup) -> MetricSource:
        """The source of a template, made anew when anything that it is made from has changed."""
        key, provider = (*place, setup.interval, setup.run_began), setup.provider
        made_from, source = self._kept.pop(key, (None, None))
        if source is None or made_from != setup:
            made = load(self._known(provider.type))(setup)
            source = self._turns.share(made, provider.type, provider.address or provider.region)
        self._kept[key] = setup, source
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return source

    def _known(self, kind: str) -> str:
        if kind not in self._sources:
            known = ", ".join(sorted(self._sources))
            raise ConfigError(f'unknown type "{kind}": it is one of {known}')
        return self._sources[kind]


def load(place: str) -> SourceFactory:
    """The class behind an entry of the registry, `module:Class`."""
    module, _, name = place.partition(":")
    return cast("SourceFactory", getattr(importlib.import_module(module), name))


def _reference(canary: Canary, metric: Metric) -> tuple[str, str]:
    """Namespace and name of the metric's template."""
    reference = metric.template_ref
    if reference is None:
        raise ConfigError(f"metric {metric.name} has no templateRef")
    return reference.namespace or canary.namespace, reference.name


def _title(canary: Canary, metric: Metric) -> str:
    namespace, name = _reference(canary, metric)
    return f"{name}.{namespace}"

"""The contract of metric sources: who judges (spec/metrics.md)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from flagger_common import durations
from flagger_controller import net
from flagger_controller.api.metrictemplate import MetricTemplateProvider
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.errors import ConfigError, FlaggerError

Secret = Mapping[str, str]
"""The decoded data of a Secret."""

WINDOW_FACTOR: Final = 10
"""Sources that need a window look back so many intervals (metrics.md 9.1)."""


class SourceError(FlaggerError):
    """The source could not be asked or answered nonsense; not the same as having no values."""


class SourceTimeout(SourceError):
    """The source did not answer in time."""


class NoValues(FlaggerError):
    """The source answered, and has no values for the query."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"no values found: {detail}" if detail else "no values found")


class MetricSource(Protocol):
    """One provider of metrics."""

    async def query(self, query: str) -> float:
        """Run the query and return its one number, which is finite.

        Raises:
            NoValues: the answer is empty or not a number.
            SourceTimeout: there was no answer in time.
            SourceError: the source could not be asked.
        """
        ...

    async def online(self) -> None:
        """Return when the source is reachable.

        Raises:
            SourceError: it is not, with the cause.
        """
        ...


class Reader(Protocol):
    """An API server that can be asked for more than objects."""

    async def read(
        self, path: str, params: Mapping[str, str] | None = None, *, seconds: float | None = None
    ) -> Object:
        """GET what is no object; tried again for so many seconds at most."""
        ...


class Cluster(Reader, Protocol):
    """The Kubernetes API, for sources that live in it; every call raises `ApiError`."""

    async def get(self, ref: Ref) -> Object:
        """Read one object."""
        ...

    async def create(self, ref: Ref, body: Object) -> Object:
        """Create an object."""
        ...

    async def delete(self, ref: Ref, *, uid: str = "") -> None:
        """Delete an object."""
        ...


@dataclass(frozen=True)
class Context:
    """What sources use of the process."""

    http: net.Http
    """The client for everything outside the cluster's API."""
    cluster: Cluster
    """The cluster that we run in."""
    now: Callable[[], datetime]


@dataclass(frozen=True)
class Setup:
    """What a source is made from."""

    provider: MetricTemplateProvider
    """Address and options."""
    secret: Secret = field(repr=False)
    """Data of the referred Secret, empty without a reference."""
    interval: str
    """The metric's window as written, for sources that take it as a parameter."""
    context: Context
    """Clients and clock."""
    run_began: datetime | None = None
    """What the query must not look before; None: nothing."""

    def window(self, now: datetime, seconds: float) -> datetime:
        """Where a window of so many seconds begins that ends now, or with the run (M13).

        Providers refuse windows without length, so it has a second at least.
        """
        begin = now - timedelta(seconds=seconds)
        if self.run_began is None or self.run_began <= begin:
            return begin
        return min(self.run_began, now - timedelta(seconds=1))

    def seconds(self) -> float:
        """The length of the metric's window; more than zero.

        Raises:
            ConfigError: it is no Go duration, or none of time.
        """
        try:
            length = durations.parse(self.interval)
        except ValueError as error:
            raise ConfigError(f"error parsing metric interval: {error}") from error
        if length <= 0:
            raise ConfigError(
                f'error parsing metric interval: "{self.interval}" is no length of time'
            )
        return length

    def credential(self, key: str, name: str = "") -> str:
        """A value of the Secret; line ends, which editors leave there, are dropped.

        Args:
            key: of the Secret.
            name: what the error calls it, if not by its key.

        Raises:
            ConfigError: the key is missing.
        """
        if key not in self.secret:
            raise ConfigError(f"{self.provider.type} credentials does not contain {name or key}")
        return self.secret[key].strip("\r\n")


SourceFactory = Callable[[Setup], MetricSource]
"""How a source is made; the classes of `METRIC_SOURCES` are called so.

They raise `ConfigError` where something is missing or malformed. A source may be kept for as long
as its setup stays the same.
"""


def finite(value: float) -> float:
    """The value, if it can be compared with bounds (sharp edge M15).

    Raises:
        NoValues: it is infinite or not a number.
    """
    if not math.isfinite(value):
        raise NoValues(f"the value is {value}" if math.isinf(value) else "")
    return value


def number(value: Any) -> float:
    """A number of a JSON document.

    Raises:
        NoValues: it is null, which says that there is none (sharp edge M14), or not finite.
        ValueError: it is something else, or too large.
    """
    if value is None:
        raise NoValues
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a number")
    try:
        return finite(float(value))
    except OverflowError as error:
        raise ValueError("the number is too large") from error

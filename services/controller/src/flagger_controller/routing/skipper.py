"""Skipper: a second Ingress with weighted backends that wins over the first (routing.md 7.6).

The Ingress of the user leads to the apex, which is the primary; its copy leads to primary and
canary. Predicates say which requests it takes over.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing import base, copies, http_match, objects
from flagger_controller.routing.base import Capabilities, Objects, RouterSettings

PREFIX: Final = "zalando.org/"
PREDICATES: Final = f"{PREFIX}skipper-predicate"
WEIGHTS: Final = f"{PREFIX}backend-weights"
IN_FORCE: Final = "Weight(100)"
"""Makes the copy win over the original, which has the same hosts and paths."""
OUT_OF_FORCE: Final = "False()"


class Skipper:
    """Weights, and the headers of one entry as conditions."""

    capabilities = Capabilities(match=True)

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings

    def refs(self, canary: Canary) -> tuple[Ref, ...]:
        """The Ingress of the user, which is only read, and its copy."""
        return copies.ingress_refs(canary)

    def referenced(self, canary: Canary) -> tuple[Ref, ...]:
        """The Ingress of the user."""
        return self.refs(canary)[:1]

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        """The copy for this split; out of force while the canary has no traffic.

        Raises:
            ConfigError: the Ingress is missing or does not lead to the apex, or Skipper cannot
                express what is asked for.
        """
        refs = self.refs(canary)
        if (copy := copies.orphan(canary, refs, live)) is not None:
            return copies.resplit(refs[1], copy, _split(canary, copy, route))
        source = copies.original_ingress(canary, live)
        spec = _spec(canary, refs[0], source)
        annotations = _annotations(canary, source, route)
        return copies.ingress(canary, live, self._settings, PREFIX, spec, annotations)

    def read(self, canary: Canary, live: Objects) -> Route | None:
        """The weights of our two backends; both must be there."""
        weights = _weights(copies.copy_of(self.refs(canary), live))
        primary, ours = weights.get(canary.primary_service), weights.get(canary.canary_service)
        if not isinstance(primary, int) or not isinstance(ours, int):
            return None
        return base.split(primary, ours)

    def settled(self, canary: Canary, live: Objects) -> str:
        """Always: Skipper reports nothing about the Ingresses it reads."""
        return ""

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object]:
        """Nothing: the copy goes away with the Canary, the original was never changed."""
        return {}


def _annotations(canary: Canary, source: Object, route: Route) -> dict[str, str]:
    """Those of the original with the split.

    Its own predicates stay, behind ours: a `Weight` among them counts for both Ingresses.
    """
    conditions = _conditions(canary.analysis.match)
    ours = [IN_FORCE, *conditions] if route.canary else [OUT_OF_FORCE]
    copied = copies.annotations(source, without=WEIGHTS)
    predicates = [*ours, *filter(None, [copied.get(PREDICATES)])]
    return {
        **copied,
        **objects.HANDS_OFF,
        PREDICATES: " && ".join(predicates),
        **_split(canary, source, route),
    }


def _split(canary: Canary, source: Object, route: Route) -> dict[str, str]:
    """The weights, beside those of other Services."""
    weights = {
        **{key: weight for key, weight in _weights(source).items() if key != canary.apex_service},
        canary.primary_service: route.primary,
        canary.canary_service: route.canary,
    }
    return {WEIGHTS: json.dumps(weights, sort_keys=True, separators=(",", ":"))}


def _weights(ingress: Object | None) -> dict[str, object]:
    """The weights by Service; none where they cannot be read, as for Skipper."""
    try:
        found = json.loads(objects.annotations_of(ingress)[WEIGHTS]) if ingress else {}
    except (KeyError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _conditions(entries: Sequence[Object]) -> list[str]:
    """The predicates for the headers of one entry, all of which must be met.

    All of one kind: two `Header` predicates with one name, ours and the user's, are an error for
    Skipper, and then it serves the path without any predicate; of `HeaderRegexp` it checks both.

    Raises:
        ConfigError: what predicates cannot express.
    """
    if not entries:
        return []
    if len(entries) > 1:
        raise ConfigError(
            f"spec.analysis.match has {len(entries)} entries, and Skipper can serve one: "
            "its predicates have no alternatives"
        )
    place = "spec.analysis.match[0]"
    for field in ("queryParams", "sourceLabels"):
        if entries[0].get(field):
            raise ConfigError(f"{place}.{field}: provider skipper can check headers only")
    headers = entries[0].get("headers") or {}
    if not headers:
        raise ConfigError(f"{place} has no header and would match every request")
    if len({name.lower() for name in headers}) < len(headers):
        raise ConfigError(f"{place}.headers names a header twice, in different case")
    return [
        _predicate(name, *http_match.one_value(f"{place}.headers.{name}", headers[name]))
        for name in sorted(headers)
    ]


def _predicate(name: str, operator: str, value: str) -> str:
    quoted = (
        json.dumps(text, ensure_ascii=False)
        for text in (name, http_match.expression(operator, value))
    )
    return f"HeaderRegexp({', '.join(quoted)})"


def _spec(canary: Canary, first: Ref, source: Object) -> Object:
    """The original with the primary where the apex was, and the canary behind all paths.

    Raises:
        ConfigError: the original does not lead to the apex, or shares its path.
    """
    spec = objects.spec_of(source)
    rules = copies.rules(source, lambda paths: _paths(canary, first, paths))
    if rules == list(objects.items(spec.get("rules"))):
        raise copies.backend_missing(canary.apex_service, first, "spec.ingressRef")
    return {
        "ingressClassName": spec.get("ingressClassName"),
        "defaultBackend": spec.get("defaultBackend"),
        "rules": rules,
        "tls": spec.get("tls"),
    }


def _paths(canary: Canary, first: Ref, paths: list[Object]) -> list[Object]:
    apex = canary.apex_service
    ours = [path for path in paths if copies.leads_to(path, apex)]
    others = [path for path in paths if path not in ours]
    if shared := {path.get("path") for path in ours} & {path.get("path") for path in others}:
        raise ConfigError(
            f"{first} of spec.ingressRef leads to {apex} and to other Services at "
            f"{', '.join(sorted(map(str, shared)))}: Skipper would weigh all of them together, "
            f"give {apex} a path of its own"
        )
    primary = [
        copies.leading_to(path, canary.primary_service) if path in ours else path for path in paths
    ]
    return [*primary, *(copies.leading_to(path, canary.canary_service) for path in ours)]

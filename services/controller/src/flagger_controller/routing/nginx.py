"""NGINX: a second Ingress with the canary annotations of ingress-nginx (routing.md 7.5).

The Ingress of the user leads to the apex, which is the primary; its copy leads to the canary and
says in annotations which requests it takes over.
"""

from collections.abc import Mapping

from flagger_controller.api.analysis import SessionAffinity
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing import affinity, copies, nginx_match, objects
from flagger_controller.routing.base import Capabilities, Objects, RouterSettings


class Nginx:
    """Weights; one header and one cookie as conditions; cookies of ingress-nginx itself."""

    capabilities = Capabilities(match=True, match_weights=False, session_affinity=True)

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings
        self._prefix = f"{settings.ingress_annotations_prefix}/"

    def refs(self, canary: Canary) -> tuple[Ref, ...]:
        """The Ingress of the user, which is only read, and its copy."""
        return copies.ingress_refs(canary)

    def referenced(self, canary: Canary) -> tuple[Ref, ...]:
        """The Ingress of the user."""
        return self.refs(canary)[:1]

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        """The copy for this split.

        Raises:
            ConfigError: the Ingress is missing or does not lead to the apex, or NGINX cannot
                express what is asked for.
        """
        refs = self.refs(canary)
        if (copy := copies.orphan(canary, refs, live)) is not None:
            annotations = self._annotations(canary, refs[0], copy, route)
            return copies.resplit(refs[1], copy, annotations, self._prefix)
        source = copies.original_ingress(canary, live)
        spec = _spec(canary, refs[0], source)
        annotations = self._annotations(canary, refs[0], source, route)
        return copies.ingress(canary, live, self._settings, self._prefix, spec, annotations)

    def _annotations(
        self, canary: Canary, first: Ref, source: Object, route: Route
    ) -> dict[str, str]:
        """Those of the original without its own canary settings, and the split."""
        copied = copies.annotations(source, without=f"{self._prefix}canary")
        sessions = copied.get(f"{self._prefix}affinity")
        if options := canary.analysis.session_affinity:
            self._check_sessions(first, options, copied)
        ours = {"canary": "true", **_split(canary, route)}
        if sessions and (route.canary == 0 or options):
            ours["affinity-canary-behavior"] = "sticky" if route.canary else "legacy"
        return {
            **copied,
            **objects.HANDS_OFF,
            **{f"{self._prefix}{key}": value for key, value in ours.items()},
        }

    def _check_sessions(
        self, first: Ref, options: SessionAffinity, annotations: Mapping[str, str]
    ) -> None:
        """The original must keep sessions: ingress-nginx takes the cookie from there only."""
        wanted = {f"{self._prefix}{key}": value for key, value in _session(options).items()}
        missing = {key: value for key, value in wanted.items() if annotations.get(key) != value}
        if missing:
            texts = ", ".join(f'{key}: "{value}"' for key, value in missing.items())
            raise ConfigError(
                f"spec.analysis.sessionAffinity needs {first} to keep sessions, as NGINX takes "
                f"them from there: give it the annotations {texts}"
            )

    def read(self, canary: Canary, live: Objects) -> Route | None:
        """The weight of the copy, or everything where conditions are in force."""
        found = copies.copy_of(self.refs(canary), live)
        annotations = objects.annotations_of(found) if found else {}
        by = {f"{self._prefix}canary-by-header", f"{self._prefix}canary-by-cookie"}
        if canary.analysis.match and by & annotations.keys():
            return Route(primary=0, canary=100)
        weight = annotations.get(f"{self._prefix}canary-weight", "")
        if not weight.isdecimal() or int(weight) > 100:
            return None
        return Route(primary=100 - int(weight), canary=int(weight))

    def settled(self, canary: Canary, live: Objects) -> str:
        """Always: ingress-nginx reports nothing about the Ingresses it reads."""
        return ""

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object]:
        """Nothing: the copy goes away with the Canary, the original was never changed."""
        return {}


def _split(canary: Canary, route: Route) -> dict[str, str]:
    """The annotations of the split; requests that meet conditions go to the canary at once.

    Raises:
        ConfigError: a share of the requests that meet conditions, or conditions beside cookies.
    """
    analysis = canary.analysis
    if not analysis.match:
        return {"canary-weight": str(route.canary)}
    if analysis.iterations <= 0 or analysis.step_weight_promotion > 0:
        field = "iterations" if analysis.iterations <= 0 else "no stepWeightPromotion"
        raise ConfigError(
            "spec.analysis.match: NGINX sends all matching requests to the canary at once and "
            f"not in steps: set {field} beside it"
        )
    if analysis.session_affinity:
        raise ConfigError(
            "spec.analysis.sessionAffinity: NGINX asks its cookie before the conditions of "
            "spec.analysis.match: remove one of them"
        )
    conditions = nginx_match.conditions(analysis.match)
    return {"canary-weight": "0", **(conditions if route.canary else {})}


def _session(options: SessionAffinity) -> dict[str, str]:
    """The annotations that say what the options say.

    Raises:
        ConfigError: options without an annotation.
    """
    if options.primary_cookie_name:
        raise ConfigError(
            "spec.analysis.sessionAffinity.primaryCookieName: NGINX keeps visitors of both "
            "versions with one cookie: remove it"
        )
    if options.partitioned:
        raise ConfigError(
            "spec.analysis.sessionAffinity.partitioned: NGINX has no such cookies: remove it"
        )
    wanted = {
        "affinity": "cookie",
        "session-cookie-name": options.cookie_name,
        "session-cookie-max-age": str(options.max_age or affinity.DEFAULT_MAX_AGE),
        "session-cookie-domain": options.domain,
        "session-cookie-path": options.path,
        "session-cookie-samesite": options.same_site,
        "session-cookie-secure": "true" if options.secure else "",
    }
    return {key: value for key, value in wanted.items() if value}


def _spec(canary: Canary, first: Ref, source: Object) -> Object:
    """The rules of the original, with the canary where the apex was.

    The default backend only where it is the apex: ingress-nginx takes a Service that is the
    default backend of a canary Ingress away from all other ones.

    Raises:
        ConfigError: the original does not lead to the apex.
    """
    spec = objects.spec_of(source)
    apex, ours = canary.apex_service, canary.canary_service
    rules = copies.rules(source, lambda paths: [_redirected(path, apex, ours) for path in paths])
    default = {"backend": spec.get("defaultBackend")}
    catches = copies.leads_to(default, apex)
    if not catches and rules == list(objects.items(spec.get("rules"))):
        raise copies.backend_missing(apex, first, "spec.ingressRef")
    return {
        "ingressClassName": spec.get("ingressClassName"),
        "defaultBackend": copies.leading_to(default, ours)["backend"] if catches else None,
        "rules": rules or None,
        "tls": spec.get("tls"),
    }


def _redirected(path: Object, apex: str, ours: str) -> Object:
    return copies.leading_to(path, ours) if copies.leads_to(path, apex) else path

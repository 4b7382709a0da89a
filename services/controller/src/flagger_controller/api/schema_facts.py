"""What the typed models do not say about our three kinds: texts, enumerations, rules.

By path, see `schema.Facts`. Nothing here may refuse a document that upstream accepted and
served; ranges are judged by `validation`, where the remedy can be told.
"""

from typing import Any, Final

from flagger_controller.api import schema_parts as parts
from flagger_controller.api.alertprovider import CHANNELS
from flagger_controller.api.metrictemplate import METRIC_SOURCES
from flagger_controller.api.schema import Facts

_DURATION: Final = "^[0-9]+(h|m|s)"
"""Upstream's pattern, open at its end as upstream's is, and with hours."""
_PROVIDERS: Final = (
    *("apisix", "appmesh", "appmesh:v1beta2", "contour", "gatewayapi:v1", "gatewayapi:v1beta1"),
    *("gloo", "istio", "knative", "kubernetes", "kuma", "linkerd", "nginx", "osm", "skipper"),
    *("smi:v1alpha1", "smi:v1alpha2", "smi:v1alpha3", "traefik"),
)
_HOOKS: Final = (
    *("", "confirm-rollout", "pre-rollout", "rollout", "confirm-promotion", "post-rollout"),
    *("event", "rollback", "confirm-traffic-increase"),
)


def _say(description: str, **keywords: Any) -> dict[str, Any]:
    return {"description": description} | keywords


def _enum(description: str, *values: str) -> dict[str, Any]:
    return _say(description, enum=list(values))


def _part(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return _say(description, **schema) | {"x-replace": True}


_REFERENCES: Final[Facts] = {
    "spec.targetRef": _say("The workload under progressive delivery, in this namespace."),
    "spec.targetRef.namespace": None,
    "spec.targetRef.kind": _enum(
        "Kind of the target.", "DaemonSet", "Deployment", "Service", "StatefulSet"
    ),
    "spec.autoscalerRef": _say("Autoscaler of the target; a -primary twin is generated."),
    "spec.autoscalerRef.kind": _enum(
        "Kind of the autoscaler.", "HorizontalPodAutoscaler", "ScaledObject"
    ),
    "spec.autoscalerRef.primaryScalerQueries": _say(
        "KEDA: trigger name to query of the primary; turns automatic rewriting off."
    ),
    "spec.autoscalerRef.primaryScalerReplicas": _say("Overrides for the primary's autoscaler."),
    "spec.autoscalerRef.primaryScalerReplicas.minReplicas": _say(
        "Fewest replicas of the primary (0 for a ScaledObject only).", minimum=0
    ),
    "spec.autoscalerRef.primaryScalerReplicas.maxReplicas": _say(
        "Most replicas of the primary.", minimum=1
    ),
    "spec.ingressRef": _say("Existing Ingress, for the nginx and skipper providers."),
    "spec.ingressRef.kind": {"enum": ["Ingress"]},
    "spec.ingressRef.namespace": None,
    "spec.routeRef": _say(
        "Route of the user: ApisixRoute for apisix, IngressRoute for A/B with traefik, "
        "HTTPRoute or GRPCRoute for gatewayapi."
    ),
    "spec.routeRef.kind": {"enum": ["ApisixRoute", "GRPCRoute", "HTTPRoute", "IngressRoute"]},
    "spec.routeRef.namespace": None,
    "spec.upstreamRef": _say("Gloo Upstream whose settings seed the generated ones."),
    "spec.upstreamRef.kind": {"enum": ["Upstream"]},
}

_SPEC: Final[Facts] = {
    "spec": _say("What to release, and how.", required=["targetRef", "analysis"]),
    "spec.canaryAnalysis": None,
    "spec.provider": _enum("Traffic router; default: the controller's own.", *_PROVIDERS),
    "spec.metricsServer": _say("Prometheus URL for built-in metrics and inline queries."),
    "spec.progressDeadlineSeconds": _say(
        "Seconds without progress before a workload counts as stuck (600)."
    ),
    "spec.skipAnalysis": _say("Promote as soon as the new revision is ready."),
    "spec.revertOnDeletion": _say("Undo all changes to existing objects on deletion."),
    "spec.suspend": _say("Leave everything as it is."),
}

_SERVICE: Final[Facts] = {
    "spec.service": _say("How Services and routes are generated."),
    "spec.service.name": _say("Service that clients use; default: the target's name."),
    "spec.service.port": _say("Port of the Service."),
    "spec.service.portName": _say("Name of the port (http)."),
    "spec.service.targetPort": _say("Container port, number or name; default: the port."),
    "spec.service.appProtocol": _say("Application protocol of the port."),
    "spec.service.trafficDistribution": _enum(
        "Traffic distribution of the Services.", "PreferClose", "PreferSameZone", "PreferSameNode"
    ),
    "spec.service.portDiscovery": _say("Add the other container ports to the Services."),
    "spec.service.headless": _say("Generate headless Services."),
    "spec.service.timeout": _say("Request timeout of the route."),
    "spec.service.backendTimeout": _say("Backend request timeout (Gateway API)."),
    "spec.service.meshName": _say("Mesh name (App Mesh)."),
    "spec.service.backends": _say("Backends of virtual nodes (App Mesh)."),
    "spec.service.hosts": _say("Host names of the route; default: the Service's name."),
    "spec.service.gateways": _say("Gateways of the route (Istio)."),
    "spec.service.gatewayRefs": _say("Parent gateways (Gateway API).", maxItems=32),
    "spec.service.gatewayRefs[]": _part("A parent gateway.", parts.GATEWAY_REF),
    "spec.service.delegation": _say("Generate a delegate VirtualService (Istio)."),
    "spec.service.match": _say("Conditions of the generated route."),
    "spec.service.match[]": _part("A condition.", parts.SERVICE_MATCH),
    "spec.service.rewrite": _part("URI and authority rewrites.", parts.REWRITE),
    "spec.service.retries": _part("Retry policy.", parts.RETRIES),
    "spec.service.headers": _part("Header operations.", parts.HEADERS),
    "spec.service.mirror": _say("Static request mirroring (Gateway API)."),
    "spec.service.mirror[]": _part("A mirror.", parts.MIRROR),
    "spec.service.corsPolicy": _part("Cross-origin resource sharing.", parts.CORS_POLICY),
    "spec.service.trafficPolicy": _part("Traffic policy (Istio).", parts.TRAFFIC_POLICY),
    "spec.service.apex": _say("Metadata of the Service that clients use, and of the route."),
    "spec.service.primary": _say("Metadata of the primary's Service."),
    "spec.service.canary": _say("Metadata of the canary's Service."),
    "spec.service.unmanagedMetadata": _say("Keys on generated Services to leave alone."),
}

_ANALYSIS: Final[Facts] = {
    "spec.analysis": _say(
        "Schedule, thresholds, steps and checks of a release.",
        oneOf=[
            {"required": ["interval", "threshold", step]}
            for step in ("iterations", "stepWeight", "stepWeights")
        ],
    ),
    "spec.analysis.interval": _say("Time between two steps, at least 10s.", pattern=_DURATION),
    "spec.analysis.threshold": _say("Failed checks before a rollback."),
    "spec.analysis.iterations": _say("Number of iterations (A/B testing and Blue/Green)."),
    "spec.analysis.match": _say("Conditions that send a request to the canary (A/B testing)."),
    "spec.analysis.match[]": _part("A condition.", parts.ANALYSIS_MATCH),
    "spec.analysis.maxWeight": _say("Percent of traffic at which the canary is promoted (100)."),
    "spec.analysis.stepWeight": _say("Percent of traffic that each step adds."),
    "spec.analysis.stepWeights": _say("Percent of traffic of each step, increasing."),
    "spec.analysis.stepWeightPromotion": _say("Percent of traffic given back with each step."),
    "spec.analysis.mirror": _say("Mirror traffic to the canary before shifting it."),
    "spec.analysis.mirrorWeight": _say("Percent of requests to mirror (all)."),
    "spec.analysis.primaryReadyThreshold": _say("Percent of primary pods that must be available."),
    "spec.analysis.canaryReadyThreshold": _say("Percent of canary pods that must be available."),
    "spec.analysis.metrics": _say("Checks of each step."),
    "spec.analysis.metrics[].name": _say(
        "request-success-rate, request-duration, or any name with a templateRef or query."
    ),
    "spec.analysis.metrics[].interval": _say("Window of the query (1m).", pattern=_DURATION),
    "spec.analysis.metrics[].threshold": _say("Deprecated: use thresholdRange."),
    "spec.analysis.metrics[].thresholdRange": _say("Range of accepted values, bounds included."),
    "spec.analysis.metrics[].thresholdRange.min": _say("Lowest accepted value."),
    "spec.analysis.metrics[].thresholdRange.max": _say("Highest accepted value."),
    "spec.analysis.metrics[].query": _say("Deprecated: use templateRef."),
    "spec.analysis.metrics[].templateRef": _say("MetricTemplate to query."),
    "spec.analysis.metrics[].templateVariables": _say("Variables of the template's query."),
    "spec.analysis.metrics[].failurePolicy": _enum(
        "When the source cannot be asked: a failed check (Fail), or the release waits (Hold).",
        "Fail",
        "Hold",
    ),
    "spec.analysis.webhooks": _say("Hooks that are called during a release."),
    "spec.analysis.webhooks[].name": _say("Shown in messages."),
    "spec.analysis.webhooks[].type": _say("When to call it.", type="string", enum=list(_HOOKS)),
    "spec.analysis.webhooks[].url": _say("Address to post to.", format="url"),
    "spec.analysis.webhooks[].timeout": _say("Limit of one attempt (10s).", pattern=_DURATION),
    "spec.analysis.webhooks[].retries": _say("Further attempts after the first."),
    "spec.analysis.webhooks[].disableTLS": _say("Skip the verification of certificates."),
    "spec.analysis.webhooks[].muteAlert": _say("Send no alert while the gate is closed."),
    "spec.analysis.webhooks[].secretRef": _say(
        "Secret with what the controller shows (token, username, password, hmacKey), in this "
        "namespace."
    ),
    "spec.analysis.webhooks[].metadata": _say("Sent with the call."),
    "spec.analysis.alerts": _say("Who is told; replaces the controller's own channel."),
    "spec.analysis.alerts[].severity": _enum(
        "Least urgent message to send (info).", "", "info", "warn", "error"
    ),
    "spec.analysis.alerts[].providerRef": _say("AlertProvider to send to."),
    "spec.analysis.sessionAffinity": _say("Cookies that keep a client on one version."),
    "spec.analysis.sessionAffinity.cookieName": _say("Cookie of the canary."),
    "spec.analysis.sessionAffinity.primaryCookieName": _say("Cookie of the primary (none)."),
    "spec.analysis.sessionAffinity.maxAge": _say("Seconds that cookies live.", default=86400),
    "spec.analysis.sessionAffinity.sameSite": {"enum": ["Strict", "Lax", "None"]},
}

_STATUS: Final[Facts] = {
    "status": _say("Where the release stands."),
    "status.phase": _say("Phase of the release."),
    "status.canaryWeight": _say("Percent of traffic on the canary."),
    "status.failedChecks": _say("Failed checks of this run."),
    "status.iterations": _say("Completed iterations of this run."),
    "status.trackedConfigs": _say("Checksums of the configs that the target uses."),
    "status.lastAppliedSpec": _say("Hash of the revision this run is about."),
    "status.lastPromotedSpec": _say("Hash of the revision that runs as primary."),
    "status.lastTransitionTime": _say("Time of the last change."),
    "status.sessionAffinityCookie": _say("Cookie of the running release."),
    "status.previousSessionAffinityCookie": _say("Cookie of the finished release."),
    "status.primarySessionAffinityCookie": _say("Cookie of the primary."),
    "status.conditions[]": {"required": ["type", "status", "reason"]},
    "status.run": _say("State of the run that must survive a restart of the controller."),
}

CANARY: Final[Facts] = {**_SPEC, **_REFERENCES, **_SERVICE, **_ANALYSIS, **_STATUS}

METRIC_TEMPLATE: Final[Facts] = {
    "spec": _say("A query for many canaries."),
    "spec.provider": _say("Where the query is sent."),
    "spec.provider.type": _enum("Kind of the provider.", *METRIC_SOURCES),
    "spec.provider.address": _say("URL of the provider."),
    "spec.provider.headers": _say("Further HTTP headers."),
    "spec.provider.secretRef": _say("Secret with credentials, in this namespace."),
    "spec.provider.region": _say("Region of the provider (CloudWatch)."),
    "spec.provider.insecureSkipVerify": _say("Skip the verification of certificates."),
    "spec.provider.withinRun": _say(
        "Look at no time before the run began (datadog, newrelic, dynatrace, splunk, cloudwatch)."
    ),
    "spec.query": _say("The query, a template."),
}

ALERT_PROVIDER: Final[Facts] = {
    "spec": _say(
        "A receiver of alerts; its address is given here or in a Secret, which wins.",
        anyOf=[{"required": ["address"]}, {"required": ["secretRef"]}],
    ),
    "spec.type": _enum("Kind of receiver.", *CHANNELS),
    "spec.address": _say("URL to post to."),
    "spec.secretRef": _say(
        "Secret with address, credentials (token, username, password, hmacKey) and ca.crt, in this "
        "namespace."
    ),
    "spec.channel": _say("Channel to write to (general)."),
    "spec.username": _say("Name to write as (flagger)."),
    "spec.proxy": _say("HTTP proxy URL."),
    "spec.headers": _say("Further HTTP headers."),
    "spec.messageTemplate": _say("Text of the messages, a template ({{ message }})."),
    "spec.card": _enum(
        "Form of messages to Microsoft Teams; default: by the address.", "", "message", "adaptive"
    ),
}

"""Schemas of the parts of a Canary that are copied into routes and not interpreted by us.

Matches, headers, CORS and Istio traffic policies (canary-api.md 2.3 and 2.4).
"""

from typing import Final

from flagger_controller.api.base import Object

TEXT: Final[Object] = {"type": "string"}
FLAG: Final[Object] = {"type": "boolean"}
WHOLE: Final[Object] = {"type": "integer"}
TEXTS: Final[Object] = {"type": "array", "items": TEXT}
TEXT_MAP: Final[Object] = {"type": "object", "additionalProperties": TEXT}


def record(required: tuple[str, ...] = (), **properties: Object) -> Object:
    """An object with these properties."""
    schema: Object = {"type": "object", "properties": properties}
    return schema | ({"required": list(required)} if required else {})


def array(items: Object) -> Object:
    """A list."""
    return {"type": "array", "items": items}


def mapping(values: Object) -> Object:
    """An object with arbitrary keys."""
    return {"type": "object", "additionalProperties": values}


def exactly_one(schema: Object, *names: str) -> Object:
    """Require one of the properties and no other of them."""
    return schema | {"oneOf": [{"required": [name]} for name in names]}


def at_most_one(schema: Object, *names: str) -> Object:
    """Require that no two of the properties are given."""
    given = [{"required": [name]} for name in names]
    return schema | {"oneOf": [{"not": {"anyOf": given}}, *given]}


def _string_match(*kinds: str) -> Object:
    return {"type": "object", "properties": dict.fromkeys(kinds, TEXT)}


_BASIC: Final = ("exact", "prefix", "regex")
_OPTIONAL_MATCH: Final = at_most_one(_string_match(*_BASIC), *_BASIC)
_WITH_SUFFIX: Final = ("exact", "prefix", "suffix", "regex")

ANALYSIS_MATCH: Final = record(
    headers=mapping(exactly_one(_string_match(*_WITH_SUFFIX), *_WITH_SUFFIX)),
    queryParams=mapping(_OPTIONAL_MATCH),
    sourceLabels=TEXT_MAP,
)
"""One A/B condition; further fields of a route match are pruned, as upstream does."""

SERVICE_MATCH: Final = record(
    authority=_OPTIONAL_MATCH,
    gateways=TEXTS,
    headers=mapping(_OPTIONAL_MATCH),
    ignoreUriCase=FLAG,
    method=_OPTIONAL_MATCH,
    name=TEXT,
    port=WHOLE,
    queryParams=mapping(_OPTIONAL_MATCH),
    scheme=_OPTIONAL_MATCH,
    sourceLabels=TEXT_MAP,
    sourceNamespace=TEXT,
    uri=_OPTIONAL_MATCH,
    withoutHeaders=mapping(_OPTIONAL_MATCH),
)

REWRITE: Final = record(authority=TEXT, type=TEXT, uri=TEXT)
RETRIES: Final = record(attempts=WHOLE, perTryTimeout=TEXT, retryOn=TEXT)
_HEADER_OPERATIONS: Final = record(add=TEXT_MAP, remove=TEXTS, set=TEXT_MAP)
HEADERS: Final = record(request=_HEADER_OPERATIONS, response=_HEADER_OPERATIONS)
CORS_POLICY: Final = record(
    allowCredentials=FLAG,
    allowHeaders=TEXTS,
    allowMethods=TEXTS,
    allowOrigin=TEXTS,
    allowOrigins=array(exactly_one(_string_match(*_BASIC), *_BASIC)),
    exposeHeaders=TEXTS,
    maxAge=TEXT,
)

_DNS_LABEL: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_GROUP: Final = r"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"


def _bounded(longest: int, pattern: str = "", shortest: int = 1) -> Object:
    schema: Object = {"type": "string", "maxLength": longest}
    schema |= {"minLength": shortest} if shortest else {}
    return schema | ({"pattern": pattern} if pattern else {})


_PORT: Final[Object] = {"type": "integer", "format": "int32", "minimum": 1, "maximum": 65535}

GATEWAY_REF: Final = record(
    ("name",),
    group=_bounded(253, _GROUP, 0) | {"default": "gateway.networking.k8s.io"},
    kind=_bounded(63) | {"default": "Gateway"},
    name=_bounded(253),
    namespace=_bounded(63, _DNS_LABEL),
    port=_PORT,
    sectionName=_bounded(253),
)

MIRROR: Final = record(
    ("backendRef",),
    backendRef=record(
        ("name",),
        group=_bounded(253, _GROUP, 0) | {"default": ""},
        kind=_bounded(63) | {"default": "Service"},
        name=_bounded(253),
        namespace=_bounded(63, _DNS_LABEL),
        port=_PORT,
    )
    | {
        "x-kubernetes-validations": [
            {
                "message": "Must have port for Service reference",
                "rule": "(size(self.group) == 0 && self.kind == 'Service') ? has(self.port) : true",
            }
        ]
    },
)

_CONSISTENT_HASH: Final = exactly_one(
    record(
        httpCookie=record(name=TEXT, path=TEXT, ttl=TEXT),
        httpHeaderName=TEXT,
        httpQueryParameterName=TEXT,
        minimumRingSize=WHOLE,
        useSourceIp=FLAG,
    ),
    "httpHeaderName",
    "httpCookie",
    "useSourceIp",
    "httpQueryParameterName",
)
_FROM: Final[Object] = {"from": TEXT}
_LOCALITY: Final = record(
    distribute=array(record(**_FROM, to=mapping(WHOLE))),
    enabled=FLAG,
    failover=array(record(**_FROM, to=TEXT)),
    failoverPriority=TEXTS,
)
_LOAD_BALANCERS: Final = ["ROUND_ROBIN", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "LEAST_REQUEST"]
_LOAD_BALANCER: Final = exactly_one(
    record(
        consistentHash=_CONSISTENT_HASH,
        localityLbSetting=_LOCALITY,
        simple={"type": "string", "enum": _LOAD_BALANCERS},
        warmupDurationSecs=TEXT,
    ),
    "simple",
    "consistentHash",
)
_CONNECTION_POOL: Final = record(
    http=record(
        h2UpgradePolicy={"type": "string", "enum": ["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"]},
        http1MaxPendingRequests=WHOLE,
        http2MaxRequests=WHOLE,
        idleTimeout=TEXT,
        maxRequestsPerConnection=WHOLE,
        maxRetries=WHOLE,
    ),
    tcp=record(connectTimeout=TEXT, maxConnections=WHOLE),
)
_OUTLIER_DETECTION: Final = record(
    baseEjectionTime=TEXT,
    consecutive5xxErrors=WHOLE,
    consecutiveErrors=WHOLE,
    consecutiveGatewayErrors=WHOLE,
    consecutiveLocalOriginFailures=WHOLE,
    interval=TEXT,
    maxEjectionPercent=WHOLE,
    minHealthPercent=WHOLE,
    splitExternalLocalOriginErrors=FLAG,
)
_TLS: Final = record(
    caCertificates=TEXT,
    clientCertificate=TEXT,
    mode={"type": "string", "enum": ["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"]},
    privateKey=TEXT,
    sni=TEXT,
    subjectAltNames=TEXTS,
)
_POLICY: Final[Object] = {
    "connectionPool": _CONNECTION_POOL,
    "loadBalancer": _LOAD_BALANCER,
    "outlierDetection": _OUTLIER_DETECTION,
    "tls": _TLS,
}
TRAFFIC_POLICY: Final = record(
    **_POLICY, portLevelSettings=array(record(**_POLICY, port=record(number=WHOLE)))
)

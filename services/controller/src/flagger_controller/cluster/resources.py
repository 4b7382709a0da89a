"""Group, version and plural of every kind we touch, as data; nothing else."""

from typing import Final

from flagger_controller.cluster.client import Resource

# Ours
CANARIES: Final = Resource("flagger.app", "v1beta1", "canaries", "Canary")
METRIC_TEMPLATES: Final = Resource("flagger.app", "v1beta1", "metrictemplates", "MetricTemplate")
ALERT_PROVIDERS: Final = Resource("flagger.app", "v1beta1", "alertproviders", "AlertProvider")

# Targets and what belongs to them
DEPLOYMENTS: Final = Resource("apps", "v1", "deployments", "Deployment")
DAEMON_SETS: Final = Resource("apps", "v1", "daemonsets", "DaemonSet")
STATEFUL_SETS: Final = Resource("apps", "v1", "statefulsets", "StatefulSet")
SERVICES: Final = Resource("", "v1", "services", "Service")
CONFIG_MAPS: Final = Resource("", "v1", "configmaps", "ConfigMap")
SECRETS: Final = Resource("", "v1", "secrets", "Secret")
AUTOSCALERS: Final = Resource(
    "autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"
)
DISRUPTION_BUDGETS: Final = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
SCALED_OBJECTS: Final = Resource("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject")

# The process itself
EVENTS: Final = Resource("", "v1", "events", "Event")
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease")
NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
CUSTOM_RESOURCES: Final = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)

# Routes
INGRESSES: Final = Resource("networking.k8s.io", "v1", "ingresses", "Ingress")
HTTP_ROUTES: Final = Resource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
HTTP_ROUTES_BETA: Final = Resource(
    "gateway.networking.k8s.io", "v1beta1", "httproutes", "HTTPRoute"
)
GRPC_ROUTES: Final = Resource("gateway.networking.k8s.io", "v1", "grpcroutes", "GRPCRoute")
VIRTUAL_SERVICES: Final = Resource(
    "networking.istio.io", "v1beta1", "virtualservices", "VirtualService"
)
DESTINATION_RULES: Final = Resource(
    "networking.istio.io", "v1beta1", "destinationrules", "DestinationRule"
)
HTTP_PROXIES: Final = Resource("projectcontour.io", "v1", "httpproxies", "HTTPProxy")
TRAEFIK_SERVICES: Final = Resource("traefik.io", "v1alpha1", "traefikservices", "TraefikService")
INGRESS_ROUTES: Final = Resource("traefik.io", "v1alpha1", "ingressroutes", "IngressRoute")
APISIX_ROUTES: Final = Resource("apisix.apache.org", "v2", "apisixroutes", "ApisixRoute")
UPSTREAMS: Final = Resource("gloo.solo.io", "v1", "upstreams", "Upstream")
ROUTE_TABLES: Final = Resource("gateway.solo.io", "v1", "routetables", "RouteTable")
TRAFFIC_ROUTES: Final = Resource(
    "kuma.io", "v1alpha1", "trafficroutes", "TrafficRoute", namespaced=False
)
MESH_HTTP_ROUTES: Final = Resource("kuma.io", "v1alpha1", "meshhttproutes", "MeshHTTPRoute")
TRAFFIC_SPLITS_1: Final = Resource("split.smi-spec.io", "v1alpha1", "trafficsplits", "TrafficSplit")
TRAFFIC_SPLITS_2: Final = Resource("split.smi-spec.io", "v1alpha2", "trafficsplits", "TrafficSplit")
TRAFFIC_SPLITS_3: Final = Resource("split.smi-spec.io", "v1alpha3", "trafficsplits", "TrafficSplit")
APPMESH_NODES_1: Final = Resource("appmesh.k8s.aws", "v1beta1", "virtualnodes", "VirtualNode")
APPMESH_SERVICES_1: Final = Resource(
    "appmesh.k8s.aws", "v1beta1", "virtualservices", "VirtualService"
)
APPMESH_NODES_2: Final = Resource("appmesh.k8s.aws", "v1beta2", "virtualnodes", "VirtualNode")
APPMESH_ROUTERS_2: Final = Resource("appmesh.k8s.aws", "v1beta2", "virtualrouters", "VirtualRouter")
APPMESH_SERVICES_2: Final = Resource(
    "appmesh.k8s.aws", "v1beta2", "virtualservices", "VirtualService"
)
KNATIVE_SERVICES: Final = Resource("serving.knative.dev", "v1", "services", "Service")
KNATIVE_REVISIONS: Final = Resource("serving.knative.dev", "v1", "revisions", "Revision")

# Metric sources
KEPTN_METRICS: Final = Resource("metrics.keptn.sh", "v1beta1", "keptnmetrics", "KeptnMetric")
KEPTN_ANALYSES: Final = Resource("metrics.keptn.sh", "v1beta1", "analyses", "Analysis")

METADATA_ONLY: Final = frozenset({CONFIG_MAPS, SECRETS})
"""Watched without their data, which can be large or secret; see `cache.Cache.data`."""

WITHOUT_STATUS: Final = frozenset(
    {
        CONFIG_MAPS,
        SECRETS,
        EVENTS,
        LEASES,
        TRAEFIK_SERVICES,
        INGRESS_ROUTES,
    }
)
"""Kinds without a status subresource: their status, if any, is written with the rest."""

WITHOUT_GENERATION: Final = frozenset({CONFIG_MAPS, SECRETS, EVENTS, LEASES, SERVICES, NAMESPACES})
"""Kinds whose `metadata.generation` the API server does not count."""

{{/*
What the controller does to the cluster. The watch cache needs get, list and watch of everything a
canary refers to; `delete` is granted only where the controller owns an object that garbage
collection cannot reach, or that has to vanish during a rollout.
*/}}

{{/* Objects of one API group that are kept up to date. Takes a list: group, resource... */}}
{{- define "flagger.managed" -}}
- apiGroups: [{{ first . | quote }}]
  resources: [{{ rest . | join ", " }}]
  verbs: [get, list, watch, create, update, patch]
{{- end -}}

{{/* As above, and removed. */}}
{{- define "flagger.removed" -}}
- apiGroups: [{{ first . | quote }}]
  resources: [{{ rest . | join ", " }}]
  verbs: [get, list, watch, create, update, patch, delete]
{{- end -}}

{{- define "flagger.baseRules" -}}
- apiGroups: [flagger.app]
  resources: [canaries, metrictemplates, alertproviders]
  verbs: [get, list, watch]
- apiGroups: [flagger.app]
  resources: [canaries, canaries/status]
  verbs: [update, patch]
# For clusters that check who may make an object block its owner's deletion.
- apiGroups: [flagger.app]
  resources: [canaries/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{ include "flagger.managed" (list "" "configmaps" "secrets" "services") }}
{{ include "flagger.managed" (list "apps" "deployments" "daemonsets" "statefulsets") }}
{{ include "flagger.managed" (list "autoscaling" "horizontalpodautoscalers") }}
# The copy for the primary goes when its original does.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, update, delete]
{{- end -}}

{{/* Leader election. */}}
{{- define "flagger.leaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, create, update]
{{- end -}}

{{/* Rules by provider, as a YAML mapping. */}}
{{- define "flagger.providerRules" -}}
apisix:
  {{- include "flagger.managed" (list "apisix.apache.org" "apisixroutes") | nindent 2 }}
appmesh:
  {{- include "flagger.managed" (list "appmesh.k8s.aws" "virtualnodes" "virtualrouters" "virtualservices") | nindent 2 }}
contour:
  {{- include "flagger.managed" (list "projectcontour.io" "httpproxies") | nindent 2 }}
gatewayapi:
  {{- include "flagger.managed" (list "gateway.networking.k8s.io" "httproutes" "grpcroutes") | nindent 2 }}
gloo:
  {{- include "flagger.managed" (list "gloo.solo.io" "upstreams") | nindent 2 }}
  {{- include "flagger.managed" (list "gateway.solo.io" "routetables") | nindent 2 }}
istio:
  {{- include "flagger.managed" (list "networking.istio.io" "virtualservices" "destinationrules") | nindent 2 }}
knative:
  - apiGroups: [serving.knative.dev]
    resources: [services]
    verbs: [get, list, watch, update]
  - apiGroups: [serving.knative.dev]
    resources: [revisions]
    verbs: [get, list, watch]
kubernetes: []
kuma:
  # No canary owns a TrafficRoute, which is cluster-scoped, or a MeshHTTPRoute that was there before.
  {{- include "flagger.removed" (list "kuma.io" "trafficroutes" "meshhttproutes") | nindent 2 }}
linkerd:
  {{- include "flagger.managed" (list "split.smi-spec.io" "trafficsplits") | nindent 2 }}
nginx:
  {{- include "flagger.managed" (list "networking.k8s.io" "ingresses") | nindent 2 }}
osm:
  {{- include "flagger.managed" (list "split.smi-spec.io" "trafficsplits") | nindent 2 }}
skipper:
  {{- include "flagger.managed" (list "networking.k8s.io" "ingresses") | nindent 2 }}
smi:
  {{- include "flagger.managed" (list "split.smi-spec.io" "trafficsplits") | nindent 2 }}
  {{- include "flagger.managed" (list "specs.smi-spec.io" "httproutegroups") | nindent 2 }}
traefik:
  {{- include "flagger.managed" (list "traefik.io" "traefikservices" "ingressroutes") | nindent 2 }}
keda:
  {{- include "flagger.managed" (list "keda.sh" "scaledobjects") | nindent 2 }}
keptn:
  - apiGroups: [metrics.keptn.sh]
    resources: [keptnmetrics]
    verbs: [get]
  - apiGroups: [metrics.keptn.sh]
    resources: [analyses]
    verbs: [get, create, delete]
externalmetrics:
  # Every external metric is a resource of its own, named by its owner.
  - apiGroups: [external.metrics.k8s.io]
    resources: ["*"]
    verbs: [get, list]
{{- end -}}

{{- define "flagger.rules" -}}
{{ include "flagger.baseRules" . }}
{{- $rules := include "flagger.providerRules" . | fromYaml }}
{{- $seen := list }}
{{- range $name := .Values.rbac.providers | default (keys $rules | sortAlpha) }}
{{- range $rule := get $rules $name }}
{{- if not (has $rule $seen) }}
{{- $seen = append $seen $rule }}
{{ toYaml (list $rule) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

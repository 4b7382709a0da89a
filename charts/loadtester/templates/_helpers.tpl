{{/* The old names, for templates in users' values. */}}
{{- define "loadtester.name" -}}{{ include "common.name" . }}{{- end -}}
{{- define "loadtester.fullname" -}}{{ include "common.fullname" . }}{{- end -}}

{{- define "loadtester.args" -}}
- -port=8080
- -log-level={{ .Values.logLevel }}
- -timeout={{ .Values.cmd.timeout }}
- -namespace-regexp={{ .Values.cmd.namespaceRegexp }}
{{- if .Values.locust.enabled }}
- -locust-master=http://{{ include "loadtester.locustName" (dict "root" . "role" "master") }}:8089
{{- end }}
{{- end -}}

{{/* Upstream's Service selects `app`; users' policies may, too. The exclusions keep meshes off the API port. */}}
{{- define "loadtester.podLabels" -}}
app: {{ include "common.name" . }}
{{- end -}}
{{- define "loadtester.podAnnotations" -}}
appmesh.k8s.aws/ports: "444"
openservicemesh.io/inbound-port-exclusion-list: "80, 8080"
{{- end -}}

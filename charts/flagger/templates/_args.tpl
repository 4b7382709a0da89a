{{/* Upstream's flags in upstream's order; a flag that is not needed is left out. */}}
{{- define "flagger.args" -}}
{{- $values := .Values -}}
{{- $metrics := $values.prometheus.install | ternary (printf "http://%s-prometheus:9090" (include "common.fullname" .)) $values.metricsServer -}}
{{- $slack := $values.slack -}}
{{- $teams := $values.msteams -}}
- -log-level={{ $values.logLevel }}
{{- with $values.meshProvider }}
- -mesh-provider={{ . }}
{{- end }}
- -metrics-server={{ $metrics }}
{{- if include "flagger.metricsSecret" . }}
- -metrics-server-secret=/etc/flagger/metrics-server
{{- end }}
{{- with $values.selectorLabels }}
- -selector-labels={{ . }}
{{- end }}
- -enable-config-tracking={{ $values.configTracking.enabled }}
{{- with include "flagger.namespaces" . | fromJsonArray }}
- -namespace={{ join "," . }}
{{- end }}
{{- with $slack.url }}
- -slack-url={{ . }}
{{- end }}
{{- with $slack.proxyUrl | default $slack.proxy }}
- -slack-proxy-url={{ . }}
{{- end }}
{{- with $slack.user }}
- -slack-user={{ . }}
{{- end }}
{{- with $slack.channel }}
- {{ printf "-slack-channel=%s" . | quote }}
{{- end }}
{{- with $teams.url }}
- -msteams-url={{ . }}
{{- end }}
{{- with $teams.proxyUrl | default (get $teams "proxy-url") }}
- -msteams-proxy-url={{ . }}
{{- end }}
{{- if include "flagger.elects" . }}
- -enable-leader-election=true
- -leader-election-namespace={{ .Release.Namespace }}
{{- end }}
{{- if include "flagger.sharded" . }}
- -shard=auto/{{ $values.shards.count }}
{{- with $values.shards.label }}
- -shard-label={{ . }}
{{- end }}
{{- end }}
{{- with $values.ingressAnnotationsPrefix }}
- -ingress-annotations-prefix={{ . }}
{{- end }}
{{- with $values.includeLabelPrefix }}
- {{ printf "-include-label-prefix=%s" . | quote }}
{{- end }}
{{- with $values.ingressClass }}
- -ingress-class={{ . }}
{{- end }}
{{- with $values.eventWebhook }}
- -event-webhook={{ . }}
{{- end }}
{{- with $values.eventsAddr }}
- -events-addr={{ . }}
{{- end }}
{{- with $values.kubeconfigQPS }}
- -kubeconfig-qps={{ int . }}
{{- end }}
{{- with $values.kubeconfigBurst }}
- -kubeconfig-burst={{ int . }}
{{- end }}
{{- with $values.controlplane.kubeconfig }}
{{- if .secretName }}
- -kubeconfig-service-mesh=/tmp/controlplane/{{ .key }}
{{- end }}
{{- end }}
{{- with $values.threadiness }}
- -threadiness={{ int . }}
{{- end }}
{{- with $values.clusterName }}
- {{ printf "-cluster-name=%s" . | quote }}
{{- end }}
{{- if $values.noCrossNamespaceRefs }}
- -no-cross-namespace-refs=true
{{- end }}
{{- end -}}

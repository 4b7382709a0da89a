{{/* The old names, for templates in users' values. */}}
{{- define "flagger.name" -}}{{ include "common.name" . }}{{- end -}}
{{- define "flagger.fullname" -}}{{ include "common.fullname" . }}{{- end -}}
{{- define "flagger.serviceAccountName" -}}{{ include "common.serviceAccountName" . }}{{- end -}}

{{/* Several controllers, each of which has a part of the Canaries; empty: one has all of them. */}}
{{- define "flagger.sharded" -}}
{{- if gt (int .Values.shards.count) 1 -}}true{{- end -}}
{{- end -}}

{{/* Empty: no election. Shards are safe with it only. */}}
{{- define "flagger.elects" -}}
{{- if or .Values.leaderElection.enabled (include "flagger.sharded" .) -}}true{{- end -}}
{{- end -}}

{{/* Without an election every replica would act: they would fight. */}}
{{- define "flagger.replicas" -}}
{{- $each := .Values.leaderElection.replicaCount -}}
{{- if include "flagger.elects" . -}}
{{- mul $each .Values.shards.count -}}
{{- else -}}
{{- min 1 $each -}}
{{- end -}}
{{- end -}}

{{/* The number at its end says which shard a Pod of a StatefulSet is. */}}
{{- define "flagger.env" -}}
{{- if include "flagger.sharded" . -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end -}}
{{- end -}}

{{/* The namespaces the controller watches, as JSON; none: all of them. */}}
{{- define "flagger.namespaces" -}}
{{- splitList "," (.Values.namespace | nospace) | compact | uniq | toJson -}}
{{- end -}}

{{/* Where its rights are, as JSON; an empty name stands for the cluster. */}}
{{- define "flagger.scopes" -}}
{{- $namespaces := include "flagger.namespaces" . | fromJsonArray -}}
{{- if eq .Values.rbac.scope "cluster" -}}{{- $namespaces = list -}}{{- end -}}
{{- $namespaces | default (list "") | toJson -}}
{{- end -}}

{{/* The process looks for the Lease in the only namespace that it watches, as upstream does. */}}
{{- define "flagger.leaseNamespace" -}}
{{- $namespaces := include "flagger.namespaces" . | fromJsonArray -}}
{{- if eq (len $namespaces) 1 -}}{{ first $namespaces }}{{- else -}}{{ .Release.Namespace }}{{- end -}}
{{- end -}}

{{/* The login is that of the given metrics server; our own Prometheus has none. */}}
{{- define "flagger.metricsSecret" -}}
{{- if not .Values.prometheus.install -}}{{ .Values.metricsServerSecret }}{{- end -}}
{{- end -}}

{{- define "flagger.volumes" -}}
{{- with include "flagger.metricsSecret" . }}
- name: metrics-server
  secret:
    secretName: {{ . }}
{{- end }}
{{- with .Values.controlplane.kubeconfig }}
{{- if .secretName }}
- name: kubeconfig
  secret:
    secretName: {{ .secretName }}
{{- end }}
{{- end }}
{{- with .Values.additionalVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "flagger.volumeMounts" -}}
{{- if include "flagger.metricsSecret" . }}
- name: metrics-server
  mountPath: /etc/flagger/metrics-server
  readOnly: true
{{- end }}
{{- with .Values.controlplane.kubeconfig }}
{{- if .secretName }}
- name: kubeconfig
  mountPath: /tmp/controlplane
  readOnly: true
{{- end }}
{{- end }}
{{- with .Values.additionalVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

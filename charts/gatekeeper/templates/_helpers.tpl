{{- define "gatekeeper.args" -}}
- -port=8080
- -log-level={{ .Values.logLevel }}
- -namespace-regexp={{ .Values.cmd.namespaceRegexp }}
- -store={{ .Values.store.type }}
{{- if eq .Values.store.type "sqlite" }}
- -store-dsn={{ .Values.store.dsn }}
{{- else if eq .Values.store.type "kubernetes" }}
- -store-namespace={{ .Release.Namespace }}
{{- end }}
{{- end -}}

{{/* Only the API server can be shared by several pods. */}}
{{- define "gatekeeper.replicas" -}}
{{- eq .Values.store.type "kubernetes" | ternary .Values.replicaCount (min 1 .Values.replicaCount) -}}
{{- end -}}

{{- define "gatekeeper.claim" -}}
{{- .Values.persistence.existingClaim | default (include "common.fullname" .) -}}
{{- end -}}

{{- define "gatekeeper.volumes" -}}
{{- if eq .Values.store.type "sqlite" }}
- name: data
  {{- if .Values.persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ include "gatekeeper.claim" . }}
  {{- else }}
  emptyDir: {}
  {{- end }}
{{- end }}
{{- with .Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "gatekeeper.volumeMounts" -}}
{{- if eq .Values.store.type "sqlite" }}
- name: data
  mountPath: /data
{{- end }}
{{- with .Values.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

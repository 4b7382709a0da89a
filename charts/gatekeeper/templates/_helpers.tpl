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
{{- with .Values.gates }}
- -default-mode={{ .defaultMode }}
- -default-ttl={{ .defaultTtl }}
- -once-grace={{ .onceGrace }}
- -auto-reset={{ .autoReset }}
- -audit-retention={{ .auditRetention }}
- -events={{ .events }}
- -ui={{ .page }}
{{- with .rules }}
- {{ printf "-rules=%s" (toJson .) | quote }}
{{- end }}
{{- end }}
{{- with .Values.auth }}
- -auth-mode={{ .mode }}
- -allow-anonymous-mutations={{ .allowAnonymousMutations }}
- -access-review={{ .accessReview }}
- -trusted-proxy-cidr={{ .trustedProxyCidr }}
- -rate-limit={{ .rateLimit }}
{{- if eq .mode "oidc" }}
- -oidc-issuer={{ required "auth.mode=oidc needs auth.oidc.issuer" .oidc.issuer }}
- -oidc-audience={{ required "auth.mode=oidc needs auth.oidc.audience" .oidc.audience }}
- -oidc-username-claim={{ .oidc.usernameClaim }}
- -oidc-groups-claim={{ .oidc.groupsClaim }}
{{- end }}
{{- if eq .mode "static" }}
- -token-file=/etc/gatekeeper/tokens.json
{{- end }}
{{- if .policy }}
- -policy-file=/etc/gatekeeper/policy.json
{{- end }}
{{- if .checkToken }}
- -check-token-file=/etc/gatekeeper/check-token
{{- end }}
{{- end }}
{{- end -}}

{{/* Files of tokens and grants; their Secret has to be named. */}}
{{- define "gatekeeper.secret" -}}
{{- $auth := .Values.auth -}}
{{- if or (eq $auth.mode "static") $auth.policy $auth.checkToken -}}
{{- required "auth.mode=static, auth.policy and auth.checkToken need auth.secretName" $auth.secretName -}}
{{- end -}}
{{- end -}}

{{/* Only the API server can be shared by several pods. */}}
{{- define "gatekeeper.replicas" -}}
{{- eq .Values.store.type "kubernetes" | ternary .Values.replicaCount (min 1 .Values.replicaCount) -}}
{{- end -}}

{{/* Not empty: rights in all namespaces are needed. */}}
{{- define "gatekeeper.everywhere" -}}
{{- if or (eq .Values.auth.mode "kubernetes") .Values.gates.events }}true{{ end -}}
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
{{- with include "gatekeeper.secret" . }}
- name: auth
  secret:
    secretName: {{ . }}
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
{{- if include "gatekeeper.secret" . }}
- name: auth
  mountPath: /etc/gatekeeper
  readOnly: true
{{- end }}
{{- with .Values.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The old names, for templates in users' values. */}}
{{- define "loadtester.name" -}}{{ include "common.name" . }}{{- end -}}
{{- define "loadtester.fullname" -}}{{ include "common.fullname" . }}{{- end -}}

{{- define "loadtester.args" -}}
- -port=8080
- -log-level={{ .Values.logLevel }}
- -timeout={{ .Values.cmd.timeout }}
- -namespace-regexp={{ .Values.cmd.namespaceRegexp }}
{{- if .Values.compat }}
- -compat=true
{{- end }}
{{- include "loadtester.authArgs" .Values.auth }}
{{- if .Values.verifyCanary }}
- -verify-canary=true
{{- end }}
{{- with .Values.allowedCommands }}
- -allowed-commands={{ join "," . }}
{{- end }}
{{- if .Values.allowShell }}
- -allow-shell=true
{{- end }}
{{- with .Values.files }}
- -files={{ join "," . }}
{{- end }}
{{- if .Values.policy }}
- -policy-file=/etc/loadtester/policy/policy.yaml
{{- end }}
{{- $flags := dict
  "concurrency" "max-concurrency"
  "duration" "max-duration"
  "requests" "max-requests"
  "perNamespace" "max-per-namespace"
  "background" "max-background"
  "queue" "queue-size" }}
{{- range $limit, $value := .Values.limits }}
{{- if not (kindIs "invalid" $value) }}
- -{{ get $flags $limit }}={{ kindIs "string" $value | ternary $value (int64 $value) }}
{{- end }}
{{- end }}
{{- if .Values.locust.enabled }}
- -locust-master=http://{{ include "loadtester.locustName" (dict "root" . "role" "master") }}:8089
{{- end }}
{{- end -}}

{{/* A Secret of which no key is named would leave the service open to everybody. */}}
{{- define "loadtester.authArgs" -}}
{{- if or .tokenKey .hmacKey }}
{{- $_ := required "auth.tokenKey and auth.hmacKey need auth.existingSecret" .existingSecret }}
{{- else if .existingSecret }}
{{- fail "auth.existingSecret needs auth.tokenKey or auth.hmacKey" }}
{{- end }}
{{- with .tokenKey }}
- -auth-token-file=/etc/loadtester/auth/{{ . }}
{{- end }}
{{- with .hmacKey }}
- -auth-hmac-key-file=/etc/loadtester/auth/{{ . }}
{{- end }}
{{- end -}}

{{/* In strict mode names without a dot are Services of the tester's own namespace. */}}
{{- define "loadtester.env" -}}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end -}}

{{- define "loadtester.volumes" -}}
{{- with .Values.auth.existingSecret }}
- name: auth
  secret:
    secretName: {{ . }}
{{- end }}
{{- if .Values.policy }}
- name: policy
  configMap:
    name: {{ include "common.fullname" . }}
{{- end }}
{{- with .Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "loadtester.volumeMounts" -}}
{{- if .Values.auth.existingSecret }}
- name: auth
  mountPath: /etc/loadtester/auth
  readOnly: true
{{- end }}
{{- if .Values.policy }}
- name: policy
  mountPath: /etc/loadtester/policy
  readOnly: true
{{- end }}
{{- with .Values.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Upstream's Service selects `app`; users' policies may, too. The exclusions keep meshes off the API port. */}}
{{- define "loadtester.podLabels" -}}
app: {{ include "common.name" . }}
{{- end -}}
{{- define "loadtester.podAnnotations" -}}
appmesh.k8s.aws/ports: "444"
openservicemesh.io/inbound-port-exclusion-list: "80, 8080"
{{- with .Values.policy }}
checksum/policy: {{ toYaml . | sha256sum }}
{{- end }}
{{- end -}}

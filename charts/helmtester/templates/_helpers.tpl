{{- define "helmtester.args" -}}
- -port=8080
- -log-level={{ .Values.logLevel }}
- -timeout={{ .Values.cmd.timeout }}
- -namespace-regexp={{ .Values.cmd.namespaceRegexp }}
- -max-concurrency={{ int .Values.cmd.concurrency }}
- -per-namespace-concurrency={{ int .Values.cmd.namespaceConcurrency }}
- -failure-status={{ int .Values.cmd.failureStatus }}
{{- with .Values.cmd.releaseNamespaces }}
- -release-namespaces={{ join "," . }}
{{- end }}
{{- with .Values.cmd.impersonate }}
- -impersonate={{ . }}
{{- end }}
{{- with .Values.cmd.legacyUrl }}
- -legacy-types={{ . }}
{{- end }}
{{- if ne .Values.auth.mode "none" }}
- -auth-{{ ternary "token" "hmac-key" (eq .Values.auth.mode "token") }}-file=/etc/helmtester/{{ .Values.auth.key }}
{{- end }}
{{- if .Values.verifyCanary }}
- -verify-canary=true
{{- end }}
{{- if .Values.jobs.enabled }}
- -jobs=true
- -job-templates={{ join "," .Values.jobs.templates }}
{{- end }}
{{- end -}}

{{- define "helmtester.volumes" -}}
{{- if ne .Values.auth.mode "none" }}
- name: auth
  secret:
    secretName: {{ required "auth.mode other than none needs auth.existingSecret" .Values.auth.existingSecret }}
{{- end }}
{{- with .Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "helmtester.volumeMounts" -}}
{{- if ne .Values.auth.mode "none" }}
- name: auth
  mountPath: /etc/helmtester
  readOnly: true
{{- end }}
{{- with .Values.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
What `helm test` does, and nothing else: read the release from its Secrets and write the result
back, delete the test objects of the last run, create them, wait for them, read their logs.
It cannot install, upgrade or remove a release: that would need to create or delete Secrets.
With cmd.impersonate all this is the right of the tenants' own accounts, and ours to act as them.
Canaries are read as ourselves.
*/}}
{{- define "helmtester.rules" -}}
{{- with .Values.cmd.impersonate }}
- apiGroups: [""]
  resources: [serviceaccounts]
  resourceNames: [{{ . | quote }}]
  verbs: [impersonate]
{{- else }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, update]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
{{- if .Values.jobs.enabled }}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
{{- end }}
{{- end }}
{{- if .Values.verifyCanary }}
- apiGroups: [flagger.app]
  resources: [canaries]
  verbs: [get]
{{- end }}
{{- with .Values.rbac.rules }}
{{ toYaml . }}
{{- end }}
{{- end -}}

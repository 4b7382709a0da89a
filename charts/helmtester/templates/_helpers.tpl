{{- define "helmtester.args" -}}
- -port=8080
- -log-level={{ .Values.logLevel }}
- -timeout={{ .Values.cmd.timeout }}
- -namespace-regexp={{ .Values.cmd.namespaceRegexp }}
- -max-concurrency={{ int .Values.cmd.concurrency }}
{{- end -}}

{{/*
What `helm test` does, and nothing else: read the release from its Secrets and write the result
back, delete the test objects of the last run, create them, wait for them, read their logs.
It cannot install, upgrade or remove a release: that would need to create or delete Secrets.
*/}}
{{- define "helmtester.rules" -}}
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
{{- with .Values.rbac.rules }}
{{ toYaml . }}
{{- end }}
{{- end -}}

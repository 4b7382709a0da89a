{{/* A gate is a config map. Its name is not known beforehand, so the rule cannot list names. */}}
{{- define "gatekeeper.rules" -}}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, create, update, delete]
{{- end -}}

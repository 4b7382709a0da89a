{{/* A gate is a config map. Its name is not known beforehand, so the rule cannot list names. */}}
{{- define "gatekeeper.rules" -}}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, create, update, delete]
{{- end -}}

{{/* Callers are recognised, and their rights looked up, by the API server; Canaries get Events. */}}
{{- define "gatekeeper.clusterRules" -}}
{{- if eq .Values.auth.mode "kubernetes" }}
- apiGroups: [authentication.k8s.io]
  resources: [tokenreviews]
  verbs: [create]
{{- if .Values.auth.accessReview }}
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
{{- end }}
{{- end }}
{{- if .Values.gates.events }}
- apiGroups: [flagger.app]
  resources: [canaries]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end }}
{{- end -}}

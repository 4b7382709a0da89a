{{/* The old names, for templates in users' values. */}}
{{- define "flagger.name" -}}{{ include "common.name" . }}{{- end -}}
{{- define "flagger.fullname" -}}{{ include "common.fullname" . }}{{- end -}}
{{- define "flagger.serviceAccountName" -}}{{ include "common.serviceAccountName" . }}{{- end -}}

{{/* Without an election every replica would act: they would fight. */}}
{{- define "flagger.replicas" -}}
{{- with .Values.leaderElection -}}
{{- .enabled | ternary .replicaCount (min 1 .replicaCount) -}}
{{- end -}}
{{- end -}}

{{/* The namespace the controller is limited to, empty: none. */}}
{{- define "flagger.onlyNamespace" -}}
{{- if ne .Values.rbac.scope "cluster" -}}{{ .Values.namespace }}{{- end -}}
{{- end -}}

{{- define "flagger.volumes" -}}
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

{{/* What Grafana reads at its start. */}}
{{- define "grafana.datasources" -}}
apiVersion: 1
datasources:
  - name: prometheus
    uid: prometheus
    type: prometheus
    access: proxy
    url: {{ .Values.url | quote }}
    isDefault: true
    editable: true
{{- end -}}

{{- define "grafana.providers" -}}
apiVersion: 1
providers:
  - name: flagger
    type: file
    disableDeletion: false
    allowUiUpdates: false
    options:
      path: /etc/grafana/dashboards
{{- end -}}

{{- define "grafana.dashboards" -}}
{{ (.Files.Glob "dashboards/*.json").AsConfig }}
{{- end -}}

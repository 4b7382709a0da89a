{{- define "grafana.pod" -}}
metadata:
  labels:
    {{- include "common.selectorLabels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # A changed configuration starts a new pod.
    checksum/config: {{ printf "%s%s%s" (include "grafana.datasources" .) (include "grafana.dashboards" .) .Values.password | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.image.pullSecret }}
  imagePullSecrets:
    - name: {{ . }}
  {{- end }}
  {{- with .Values.podPriorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- include "common.securityContext" .Values.podSecurityContext | nindent 2 }}
  containers:
    - name: grafana
      image: {{ include "common.image" (dict "image" .Values.image "appVersion" .Chart.AppVersion) | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      {{- include "common.securityContext" .Values.securityContext | nindent 6 }}
      env:
        {{- include "grafana.env" . | nindent 8 }}
        {{- with .Values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .Values.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: http
          containerPort: 3000
          protocol: TCP
      livenessProbe:
        httpGet:
          path: /api/health
          port: http
        failureThreshold: 6
      readinessProbe:
        httpGet:
          path: /api/health
          port: http
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /etc/grafana/provisioning/datasources/datasources.yaml
          subPath: datasources.yaml
          readOnly: true
        - name: config
          mountPath: /etc/grafana/provisioning/dashboards/providers.yaml
          subPath: providers.yaml
          readOnly: true
        - name: dashboards
          mountPath: /etc/grafana/dashboards
          readOnly: true
        - name: data
          mountPath: /var/lib/grafana
        - name: tmp
          mountPath: /tmp
  volumes:
    - name: config
      configMap:
        name: {{ include "common.fullname" . }}
    - name: dashboards
      configMap:
        name: {{ include "common.fullname" . }}-dashboards
    - name: data
      emptyDir: {}
    - name: tmp
      emptyDir:
        sizeLimit: 64Mi
  {{- include "common.scheduling" . | trim | nindent 2 }}
{{- end -}}

{{/* Upstream makes everybody an administrator where there is no password. */}}
{{- define "grafana.env" -}}
- name: GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH
  value: /etc/grafana/dashboards/releases.json
- name: GF_ANALYTICS_REPORTING_ENABLED
  value: "false"
- name: GF_ANALYTICS_CHECK_FOR_UPDATES
  value: "false"
{{- if .Values.password }}
- name: GF_SECURITY_ADMIN_USER
  value: {{ .Values.user | quote }}
- name: GF_SECURITY_ADMIN_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "common.fullname" . }}
      key: password
{{- else }}
- name: GF_AUTH_ANONYMOUS_ENABLED
  value: "true"
- name: GF_AUTH_ANONYMOUS_ORG_ROLE
  value: Viewer
- name: GF_AUTH_BASIC_ENABLED
  value: "false"
- name: GF_AUTH_DISABLE_LOGIN_FORM
  value: "true"
{{- end }}
{{- end -}}

{{- define "common.securityContext" -}}
{{- if .enabled -}}
securityContext:
  {{- toYaml .context | nindent 2 }}
{{- end -}}
{{- end -}}

{{/*
Liveness and readiness over HTTP. With probes.exec they run a program in the container instead,
for meshes whose mutual TLS keeps the kubelet out.
*/}}
{{- define "common.probes" -}}
{{- range $kind, $path := dict "liveness" "/healthz" "readiness" "/readyz" }}
{{ $kind }}Probe:
  {{- if $.exec }}
  exec:
    command:
      - wget
      - --quiet
      - --tries=1
      - --timeout=4
      - --spider
      - http://localhost:8080{{ $path }}
  {{- else }}
  httpGet:
    path: {{ $path }}
    port: http
  {{- end }}
  {{- toYaml (get $ $kind) | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
The pod template of a service: one container with the port http.
Takes a dict: root, args (YAML list), automount, env, labels, annotations, volumes, volumeMounts (YAML each).
*/}}
{{- define "common.podTemplate" -}}
{{- $values := .root.Values -}}
metadata:
  labels:
    {{- include "common.selectorLabels" .root | nindent 4 }}
    {{- with .labels }}
    {{- . | trim | nindent 4 }}
    {{- end }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if or .annotations $values.podAnnotations }}
  annotations:
    {{- with .annotations }}
    {{- . | trim | nindent 4 }}
    {{- end }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
spec:
  serviceAccountName: {{ include "common.serviceAccountName" .root }}
  automountServiceAccountToken: {{ .automount }}
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  {{- with $values.image.pullSecret }}
  imagePullSecrets:
    - name: {{ . }}
  {{- end }}
  {{- with $values.podPriorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- include "common.securityContext" $values.podSecurityContext | nindent 2 }}
  containers:
    - name: {{ .root.Chart.Name }}
      image: {{ include "common.image" (dict "image" $values.image "appVersion" .root.Chart.AppVersion) | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      {{- include "common.securityContext" $values.securityContext | nindent 6 }}
      args:
        {{- .args | trim | nindent 8 }}
        {{- range $values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      {{- if or .env $values.env }}
      env:
        {{- with .env }}
        {{- . | trim | nindent 8 }}
        {{- end }}
        {{- with $values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      {{- with $values.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: http
          containerPort: 8080
          protocol: TCP
      {{- include "common.probes" $values.probes | trim | nindent 6 }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      volumeMounts:
        - name: tmp
          mountPath: /tmp
        {{- with .volumeMounts }}
        {{- . | trim | nindent 8 }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir:
        sizeLimit: {{ $values.tmpSizeLimit }}
    {{- with .volumes }}
    {{- . | trim | nindent 4 }}
    {{- end }}
  {{- include "common.scheduling" .root | trim | nindent 2 }}
{{- end -}}

{{/* affinity and topologySpreadConstraints are templates: their selectors want the release's labels. */}}
{{- define "common.scheduling" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- tpl (toYaml .) $ | nindent 2 }}
{{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- tpl (toYaml .) $ | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Takes a dict: root, annotations, labels. */}}
{{- define "common.workloadMetadata" -}}
{{- include "common.metadata" .root }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Takes a dict: root, replicas, recreate (true: never two versions at once), annotations, labels, pod (YAML). */}}
{{- define "common.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "common.workloadMetadata" . | nindent 2 }}
spec:
  replicas: {{ .replicas }}
  revisionHistoryLimit: 3
  strategy:
    {{- if .recreate }}
    type: Recreate
    {{- else }}
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
    {{- end }}
  selector:
    matchLabels:
      {{- include "common.selectorLabels" .root | nindent 6 }}
  template:
    {{- .pod | trim | nindent 4 }}
{{- end -}}

{{/*
Numbered pods that depend on nothing of each other, nor on a name in DNS.
Takes a dict: root, replicas, annotations, labels, pod (YAML).
*/}}
{{- define "common.statefulSet" -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "common.workloadMetadata" . | nindent 2 }}
spec:
  serviceName: {{ include "common.fullname" .root }}
  replicas: {{ .replicas }}
  revisionHistoryLimit: 3
  podManagementPolicy: Parallel
  selector:
    matchLabels:
      {{- include "common.selectorLabels" .root | nindent 6 }}
  template:
    {{- .pod | trim | nindent 4 }}
{{- end -}}

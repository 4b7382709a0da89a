{{/* Name of the objects of a role, master or worker. Takes a dict: root, role. */}}
{{- define "loadtester.locustName" -}}
{{ include "common.fullname" .root | trunc 49 | trimSuffix "-" }}-locust-{{ .role }}
{{- end -}}

{{/* The text of the locustfile, the image's own when there is none. */}}
{{- define "loadtester.locustfile" -}}
{{- .Values.locust.locustfile | default (.Files.Get "files/locustfile") -}}
{{- end -}}

{{- define "loadtester.locustConfigMap" -}}
{{- .Values.locust.existingConfigMap | default (printf "%s-locust" (include "common.fullname" . | trunc 56 | trimSuffix "-")) -}}
{{- end -}}

{{/*
The pod template of a role: Locust from the load tester's image, without rights.
Takes a dict: root, own (the root context under the role's name), role, args (YAML list).
*/}}
{{- define "loadtester.locustPod" -}}
{{- $values := .root.Values -}}
metadata:
  labels:
    {{- include "common.selectorLabels" .own | nindent 4 }}
    app.kubernetes.io/component: locust-{{ .role }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/locustfile: {{ printf "%s/%s" $values.locust.existingConfigMap (include "loadtester.locustfile" .root) | sha256sum }}
spec:
  serviceAccountName: {{ include "common.serviceAccountName" .root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $values.image.pullSecret }}
  imagePullSecrets:
    - name: {{ . }}
  {{- end }}
  {{- with $values.podPriorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- include "common.securityContext" $values.podSecurityContext | nindent 2 }}
  containers:
    - name: locust
      image: {{ include "common.image" (dict "image" $values.image "appVersion" .root.Chart.AppVersion) | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      {{- include "common.securityContext" $values.securityContext | nindent 6 }}
      command: [python3, -m, locust]
      args:
        - --locustfile=/locust/locustfile.py
        {{- .args | trim | nindent 8 }}
      {{- if eq .role "master" }}
      ports:
        - name: web
          containerPort: 8089
          protocol: TCP
        - name: workers
          containerPort: 5557
          protocol: TCP
      {{- include "loadtester.locustProbes" $values.probes | trim | nindent 6 }}
      {{- end }}
      resources:
        {{- toYaml $values.locust.resources | nindent 8 }}
      volumeMounts:
        - name: tmp
          mountPath: /tmp
        - name: locustfile
          mountPath: /locust
          readOnly: true
  volumes:
    - name: tmp
      emptyDir:
        sizeLimit: {{ $values.tmpSizeLimit }}
    - name: locustfile
      configMap:
        name: {{ include "loadtester.locustConfigMap" .root }}
  {{- include "common.scheduling" .own | trim | nindent 2 }}
{{- end -}}

{{/* For masters only: a worker has no port, and ends by itself when it hears nothing of its master for a minute. */}}
{{- define "loadtester.locustProbes" -}}
{{- range $kind := list "liveness" "readiness" }}
{{ $kind }}Probe:
  {{- if $.exec }}
  exec:
    command:
      - wget
      - --quiet
      - --tries=1
      - --timeout=4
      - --spider
      - http://localhost:8089/worker-count
  {{- else }}
  httpGet:
    path: /worker-count
    port: web
  {{- end }}
  {{- toYaml (get $ $kind) | nindent 2 }}
{{- end }}
{{- end -}}

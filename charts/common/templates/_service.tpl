{{- define "common.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "common.metadata" . | nindent 2 }}
spec:
  type: {{ .Values.service.type }}
  ports:
    - name: http
      port: {{ .Values.service.port }}
      targetPort: http
      protocol: TCP
  selector:
    {{- include "common.selectorLabels" . | nindent 4 }}
{{- end -}}

{{/*
Takes a dict: root, replicas. A budget that allows no disruption at all would block every node
drain, so with too few replicas for minAvailable one pod may go.
*/}}
{{- define "common.podDisruptionBudget" -}}
{{- $budget := .root.Values.podDisruptionBudget -}}
{{- if $budget.enabled -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "common.metadata" .root | nindent 2 }}
spec:
  {{- if and (kindIs "float64" $budget.minAvailable | or (kindIs "int64" $budget.minAvailable)) (le (int .replicas) (int $budget.minAvailable)) }}
  maxUnavailable: 1
  {{- else }}
  minAvailable: {{ $budget.minAvailable }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "common.selectorLabels" .root | nindent 6 }}
{{- end -}}
{{- end -}}

{{/* Ingress to the port http from allowFrom (every pod of the cluster when empty), egress as listed plus DNS. */}}
{{- define "common.networkPolicy" -}}
{{- with .Values.networkPolicy -}}
{{- if .enabled -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "common.metadata" $ | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "common.selectorLabels" $ | nindent 6 }}
  policyTypes:
    - Ingress
    {{- if .egress }}
    - Egress
    {{- end }}
  ingress:
    - from:
        {{- toYaml (.allowFrom | default (list (dict "namespaceSelector" dict))) | nindent 8 }}
      ports:
        - port: http
          protocol: TCP
  {{- with .egress }}
  egress:
    - ports:
        - port: 53
          protocol: UDP
        - port: 53
          protocol: TCP
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* `helm test`: the service answers. Takes the root context. */}}
{{- define "common.testPod" -}}
apiVersion: v1
kind: Pod
metadata:
  name: {{ printf "%s-test" (include "common.fullname" . | trunc 58 | trimSuffix "-") }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "common.labels" (merge (dict "Values" (merge (dict "nameOverride" (printf "%s-test" (include "common.name" .))) .Values)) .) | nindent 4 }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  {{- with .Values.image.pullSecret }}
  imagePullSecrets:
    - name: {{ . }}
  {{- end }}
  {{- include "common.securityContext" .Values.podSecurityContext | nindent 2 }}
  containers:
    - name: healthz
      image: {{ include "common.image" (dict "image" .Values.image "appVersion" .Chart.AppVersion) | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      {{- include "common.securityContext" .Values.securityContext | nindent 6 }}
      command:
        - wget
        - --quiet
        - --tries=1
        - --timeout=10
        - --spider
        - http://{{ include "common.fullname" . }}:{{ .Values.service.port }}/healthz
      resources:
        requests:
          cpu: 10m
          memory: 32Mi
        limits:
          cpu: 500m
          memory: 64Mi
{{- end -}}

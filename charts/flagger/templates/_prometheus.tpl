{{/* Takes a dict: root, name, labels, cluster (true: an object without namespace). */}}
{{- define "flagger.prometheusMetadata" -}}
name: {{ .name }}
{{- if not .cluster }}
namespace: {{ .root.Release.Namespace }}
{{- end }}
labels:
  {{- toYaml .labels | nindent 2 }}
  app.kubernetes.io/part-of: flagger
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end -}}

{{/*
The built-in queries select on kubernetes_namespace, kubernetes_pod_name and the pods' own labels:
the relabelling below is part of the contract.
*/}}
{{- define "flagger.prometheusConfig" -}}
global:
  scrape_interval: {{ .Values.prometheus.scrapeInterval }}
scrape_configs:
{{- with .Values.prometheus.scrapeConfigs }}
  {{- toYaml . | nindent 2 }}
{{- else }}
  # Envoy sidecars of App Mesh.
  - job_name: appmesh-envoy
    metrics_path: /stats/prometheus
    kubernetes_sd_configs:
      - role: pod
    relabel_configs:
      - source_labels: [__meta_kubernetes_pod_container_name]
        action: keep
        regex: ^envoy$
      - source_labels: [__address__]
        action: replace
        regex: ([^:]+)(?::\d+)?
        replacement: ${1}:9901
        target_label: __address__
      - action: labelmap
        regex: __meta_kubernetes_pod_label_(.+)
      - source_labels: [__meta_kubernetes_namespace]
        target_label: kubernetes_namespace
      - source_labels: [__meta_kubernetes_pod_name]
        target_label: kubernetes_pod_name
    metric_relabel_configs:
      # Envoy's view of itself is most of what it reports.
      - source_labels: [cluster_name]
        action: drop
        regex: (outbound|inbound|prometheus_stats).*
      - source_labels: [tcp_prefix]
        action: drop
        regex: (outbound|inbound|prometheus_stats).*
      - source_labels: [listener_address]
        action: drop
        regex: (.+)
      - source_labels: [http_conn_manager_listener_prefix]
        action: drop
        regex: (.+)
      - source_labels: [http_conn_manager_prefix]
        action: drop
        regex: (.+)
      - source_labels: [__name__]
        action: drop
        regex: envoy_(tls|tcp_downstream|http_(stats|admin)|cluster_(lb|retry|bind|internal|max|original)).*
  - job_name: kubernetes-apiservers
    scheme: https
    kubernetes_sd_configs:
      - role: endpoints
        namespaces:
          names: [default]
    tls_config:
      ca_file: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
      server_name: kubernetes.default.svc
    bearer_token_file: /var/run/secrets/kubernetes.io/serviceaccount/token
    relabel_configs:
      - source_labels: [__meta_kubernetes_service_name, __meta_kubernetes_endpoint_port_name]
        action: keep
        regex: kubernetes;https
  # Containers, through the API server: nodes need not be reachable.
  - job_name: kubernetes-cadvisor
    scheme: https
    kubernetes_sd_configs:
      - role: node
    tls_config:
      ca_file: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
    bearer_token_file: /var/run/secrets/kubernetes.io/serviceaccount/token
    relabel_configs:
      - action: labelmap
        regex: __meta_kubernetes_node_label_(.+)
      - target_label: __address__
        replacement: kubernetes.default.svc:443
      - source_labels: [__meta_kubernetes_node_name]
        regex: (.+)
        target_label: __metrics_path__
        replacement: /api/v1/nodes/${1}/proxy/metrics/cadvisor
    metric_relabel_configs:
      - source_labels: [__name__]
        action: keep
        regex: (container|machine)_(cpu|memory|network|fs)_(.+)
      - source_labels: [__name__]
        action: drop
        regex: container_memory_failures_total
  - job_name: kubernetes-pods
    kubernetes_sd_configs:
      - role: pod
    relabel_configs:
      - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]
        action: keep
        regex: "true"
      # The sidecars of the first job.
      - source_labels: [__address__]
        action: drop
        regex: .*:9901
      - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_path]
        action: replace
        regex: (.+)
        target_label: __metrics_path__
      - source_labels: [__address__, __meta_kubernetes_pod_annotation_prometheus_io_port]
        action: replace
        regex: ([^:]+)(?::\d+)?;(\d+)
        replacement: ${1}:${2}
        target_label: __address__
      - action: labelmap
        regex: __meta_kubernetes_pod_label_(.+)
      - source_labels: [__meta_kubernetes_namespace]
        target_label: kubernetes_namespace
      - source_labels: [__meta_kubernetes_pod_name]
        target_label: kubernetes_pod_name
{{- end }}
{{- end -}}

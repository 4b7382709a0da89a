{{/*
Where honorLabels is false, the namespace of a Canary is in exported_namespace.
Takes the root context.
*/}}
{{- define "flagger.alerts" -}}
groups:
  - name: flagger
    rules:
      - alert: FlaggerCanaryFailed
        expr: flagger_canary_status > 1
        for: 1m
        labels:
          severity: warning
        annotations:
          summary: The last release of {{`{{ $labels.name }}`}} failed
          description: >-
            The release of {{`{{ $labels.name }}`}} in {{`{{ or $labels.exported_namespace $labels.namespace }}`}}
            was rolled back, and the one before is in production. The events of its Canary tell why.
      - alert: FlaggerCanaryStuck
        expr: >-
          time() - flagger_canary_last_step_timestamp_seconds > {{ mul 60 .Values.prometheusRule.stuckMinutes }}
          and on (canary, namespace, exported_namespace)
          flagger_canary_phase{phase=~"Initializing|Progressing|Promoting|Finalising|Terminating"}
        for: 1m
        labels:
          severity: warning
        annotations:
          summary: Nothing happens to the Canary {{`{{ $labels.canary }}`}}
          description: >-
            The Canary {{`{{ $labels.canary }}`}} in {{`{{ or $labels.exported_namespace $labels.namespace }}`}}
            is in the middle of something and has not changed for
            {{`{{ humanizeDuration $value }}`}}. Its events and conditions tell what it waits for.
      - alert: FlaggerDown
        expr: absent(flagger_info)
        for: 5m
        labels:
          severity: critical
        annotations:
          summary: No Flagger controller is seen
          description: >-
            Prometheus gets no series of any controller. Releases stand still, with traffic where
            it is.
      - alert: FlaggerNoLeader
        expr: sum by (job, namespace) (flagger_leader) < {{ .Values.shards.count }}
        for: 2m
        labels:
          severity: critical
        annotations:
          summary: No Flagger controller acts{{ if include "flagger.sharded" . }} for a shard{{ end }}
          description: >-
            Controllers are running and none holds the Lease. Releases stand still, with traffic
            where it is. The controllers' logs tell why.
{{- end -}}

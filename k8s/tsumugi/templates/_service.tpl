{{/* One service: Deployment, Service, and HorizontalPodAutoscaler where wanted. Expects {root, component, database}. */}}
{{- define "tsumugi.service" -}}
{{- $v := .root.Values -}}
{{- $s := index $v.services .component -}}
{{- $name := printf "%s-%s" (include "tsumugi.name" .root) .component -}}
{{- $onGpu := and $v.gpuNodePool.enabled (has .component (list "generator" "trainer")) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels: {{- include "tsumugi.labels" . | nindent 4 }}
spec:
  {{- if not $s.autoscaling.enabled }}
  replicas: {{ $s.replicas }}
  {{- end }}
  {{- if or (and (eq .component "ingest") (ne $v.blobs.accessMode "ReadWriteMany")) (and (eq .component "trainer") (ne $v.adapters.accessMode "ReadWriteMany")) }}
  # The volume can be mounted once only.
  strategy: {type: Recreate}
  {{- end }}
  selector:
    matchLabels: {{- include "tsumugi.selector" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "tsumugi.labels" . | nindent 8 }}
      annotations:
        # A changed secret restarts the pods.
        checksum/secrets: {{ $v.secrets | toJson | sha256sum }}
        {{- if $v.metrics.annotations }}
        prometheus.io/scrape: "true"
        prometheus.io/port: "8080"
        prometheus.io/path: /actuator/prometheus
        {{- end }}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 60
      {{- with $v.image.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        runAsGroup: 10001
        fsGroup: 10001
        seccompProfile: {type: RuntimeDefault}
      {{- with mustMergeOverwrite (dict) ($s.nodeSelector | default dict) (ternary ($v.gpuNodePool.nodeSelector | default dict) (dict) $onGpu) }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with concat ($s.tolerations | default list) (ternary ($v.gpuNodePool.tolerations | default list) (list) $onGpu) }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .component }}
          image: {{ include "tsumugi.image" . }}
          imagePullPolicy: {{ $v.image.pullPolicy }}
          ports:
            - {name: http, containerPort: 8080}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          env: {{- include "tsumugi.environment" . | nindent 12 }}
          # Reading a large model takes minutes on a cold disk.
          startupProbe:
            httpGet: {path: /actuator/health/liveness, port: http}
            periodSeconds: 5
            failureThreshold: 60
          livenessProbe:
            httpGet: {path: /actuator/health/liveness, port: http}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: {path: /actuator/health/readiness, port: http}
            periodSeconds: 5
            timeoutSeconds: 3
          resources:
            {{- $resources := deepCopy $s.resources }}
            {{- if $onGpu }}
            {{- $_ := set $resources "limits" (merge (dict $v.gpuNodePool.resourceName $v.gpuNodePool.count) ($resources.limits | default dict)) }}
            {{- end }}
            {{- toYaml $resources | nindent 12 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
            - {name: data, mountPath: /data}
            {{- if has .component (list "generator" "trainer") }}
            - {name: model, mountPath: /models, readOnly: true}
            {{- end }}
            {{- if eq .component "gateway" }}
            - {name: admin-key, mountPath: /run/tsumugi, readOnly: true}
            {{- end }}
      volumes:
        - name: tmp
          emptyDir: {}
        - name: data
          {{- if eq .component "ingest" }}
          persistentVolumeClaim:
            claimName: {{ $v.blobs.existingClaim | default (printf "%s-blobs" (include "tsumugi.name" .root)) }}
          {{- else if eq .component "trainer" }}
          persistentVolumeClaim:
            claimName: {{ $v.adapters.existingClaim | default (printf "%s-adapters" (include "tsumugi.name" .root)) }}
          {{- else }}
          emptyDir: {}
          {{- end }}
        {{- if has .component (list "generator" "trainer") }}
        - name: model
          {{- if $v.model.existingClaim }}
          persistentVolumeClaim: {claimName: {{ $v.model.existingClaim }}, readOnly: true}
          {{- else }}
          hostPath: {path: {{ $v.model.hostPath }}, type: Directory}
          {{- end }}
        {{- end }}
        {{- if eq .component "gateway" }}
        - name: admin-key
          secret:
            secretName: {{ include "tsumugi.secret" .root }}
            items:
              - {key: admin-key, path: admin.key}
        {{- end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  labels: {{- include "tsumugi.labels" . | nindent 4 }}
spec:
  selector: {{- include "tsumugi.selector" . | nindent 4 }}
  ports:
    - {name: http, port: 8080, targetPort: http}
{{- if $s.autoscaling.enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $name }}
  labels: {{- include "tsumugi.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ $name }}}
  minReplicas: {{ $s.autoscaling.min }}
  maxReplicas: {{ $s.autoscaling.max }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ $s.autoscaling.targetCpuPercent }}}
    {{- with $s.autoscaling.metrics }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "tsumugi.environment" -}}
{{- $v := .root.Values -}}
{{- $name := include "tsumugi.name" .root -}}
- {name: TSUMUGI_KAFKA, value: {{ include "tsumugi.kafka" .root | quote }}}
- {name: TSUMUGI_KAFKA_PARTITIONS, value: {{ $v.kafka.partitions | quote }}}
- {name: TSUMUGI_KAFKA_REPLICAS, value: {{ $v.kafka.replicas | quote }}}
- name: TSUMUGI_INTERNAL_TOKEN
  valueFrom: {secretKeyRef: {name: {{ include "tsumugi.secret" .root }}, key: internal-token}}
{{- range $other := list "ingest" "embed" "retriever" "generator" "trainer" }}
- {name: TSUMUGI_{{ upper $other }}_URL, value: "http://{{ $name }}-{{ $other }}:8080"}
{{- end }}
{{- if .database }}
- {name: TSUMUGI_DB_URL, value: {{ include "tsumugi.dbUrl" .root | quote }}}
- {name: TSUMUGI_DB_USER, value: {{ include "tsumugi.dbUser" .root | quote }}}
- name: TSUMUGI_DB_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "tsumugi.secret" .root }}, key: db-password}}
{{- end }}
{{- if eq .component "ingest" }}
- {name: TSUMUGI_BLOBS, value: /data/blobs}
{{- end }}
{{- if eq .component "trainer" }}
- {name: TSUMUGI_ADAPTERS, value: /data/adapters}
- {name: TSUMUGI_TRAINING, value: /data/training}
{{- end }}
{{- if has .component (list "generator" "trainer") }}
- {name: TSUMUGI_MODEL, value: {{ printf "/models/%s" $v.model.path | quote }}}
- {name: TSUMUGI_BACKEND, value: {{ $v.model.backend | quote }}}
{{- end }}
{{- if eq .component "gateway" }}
- {name: TSUMUGI_ADMIN_KEY_FILE, value: /run/tsumugi/admin.key}
{{- end }}
{{- range $key, $value := (index $v.services .component).environment }}
- {name: {{ $key }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- end -}}

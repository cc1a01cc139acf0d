{{- define "tsumugi.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels of everything; expects {root, component}. */}}
{{- define "tsumugi.labels" -}}
{{ include "tsumugi.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "tsumugi.selector" -}}
app.kubernetes.io/name: tsumugi
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "tsumugi.secret" -}}
{{- .Values.secrets.existing | default (printf "%s-secrets" (include "tsumugi.name" .)) -}}
{{- end -}}

{{- define "tsumugi.dbUrl" -}}
{{- if .Values.postgres.bundled.enabled -}}
jdbc:postgresql://{{ include "tsumugi.name" . }}-postgres:5432/tsumugi
{{- else -}}
{{ .Values.postgres.external.url }}
{{- end -}}
{{- end -}}

{{- define "tsumugi.dbUser" -}}
{{- if .Values.postgres.bundled.enabled -}}tsumugi{{- else -}}{{ .Values.postgres.external.user }}{{- end -}}
{{- end -}}

{{- define "tsumugi.kafka" -}}
{{- if .Values.kafka.bundled.enabled -}}
{{ include "tsumugi.name" . }}-kafka:9092
{{- else -}}
{{ .Values.kafka.external.bootstrapServers }}
{{- end -}}
{{- end -}}

{{/* The image of a service is called as its Maven module. */}}
{{- define "tsumugi.image" -}}
{{- $module := ternary "gateway" (printf "%s-service" .component) (eq .component "gateway") -}}
{{ .root.Values.image.registry }}/{{ $module }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end -}}

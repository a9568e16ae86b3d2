{{- define "gateway-worker.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* A pod's name is its worker's name, which has 64 characters at most. */ -}}
{{- define "gateway-worker.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "gateway-worker.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "gateway-worker.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "gateway-worker.selector" -}}
app.kubernetes.io/name: {{ include "gateway-worker.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "gateway-worker.labels" -}}
{{ include "gateway-worker.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "gateway-worker.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "gateway-worker.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "gateway-worker.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* A setting as text: Helm reads numbers as floating ones, and would write 1e+06. */ -}}
{{- define "gateway-worker.text" -}}
{{- if kindIs "float64" . -}}
{{- if eq (floor .) . -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- else -}}
{{ . }}
{{- end -}}
{{- end -}}

{{- define "gateway-worker.environment" -}}
- name: WORKER_ID
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: ENVIRONMENT
  value: {{ .Values.environment | quote }}
- name: CAPACITY
  value: {{ include "gateway-worker.text" .Values.capacity | quote }}
- name: DRAIN_SECONDS
  value: {{ include "gateway-worker.text" .Values.drainSeconds | quote }}
- name: DATA_DIR
  value: /var/lib/gateway-worker/data
- name: SECRETS_DIR
  value: /etc/gateway-worker/secrets
- name: HEALTH_HOST
  value: "::"
- name: HEALTH_PORT
  value: {{ include "gateway-worker.text" .Values.health.port | quote }}
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  value: {{ include "gateway-worker.text" $value | quote }}
{{- end }}
{{- end -}}

{{- /* Files of the directory with secrets; $migrating: with the URL for migrations. */ -}}
{{- define "gateway-worker.secretsVolume" -}}
{{- $root := .root -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ required "secrets.name: the Secret with AMQP_URL, DATABASE_URL and so on" $root.Values.secrets.name }}
      {{- range $variable, $item := $root.Values.secrets.items }}
      - secret:
          name: {{ $item.name }}
          items:
            - key: {{ default $variable $item.key }}
              path: {{ $variable }}
      {{- end }}
      {{- if and .migrating $root.Values.migration.urlSecret.name }}
      - secret:
          name: {{ $root.Values.migration.urlSecret.name }}
          items:
            - key: {{ $root.Values.migration.urlSecret.key }}
              path: MIGRATIONS_DATABASE_URL
      {{- end }}
{{- if $root.Values.certificates.secretName }}
- name: certificates
  secret:
    secretName: {{ $root.Values.certificates.secretName }}
    defaultMode: 0440
{{- end }}
- name: temporary
  emptyDir:
    sizeLimit: {{ $root.Values.temporary.size }}
{{- end -}}

{{- define "gateway-worker.mounts" -}}
- name: secrets
  mountPath: /etc/gateway-worker/secrets
  readOnly: true
{{- if .Values.certificates.secretName }}
- name: certificates
  mountPath: /etc/gateway-worker/certificates
  readOnly: true
{{- end }}
- name: temporary
  mountPath: /tmp
{{- end -}}

{{- define "gateway-worker.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "gateway-worker.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "gateway-worker.job" -}}
{{- default "gateway-worker" .Values.autoscaling.keda.job -}}
{{- end -}}

{{- define "gateway-worker.scaling" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  policies:
    - type: Pods
      value: 1
      periodSeconds: {{ .Values.autoscaling.scaleUpPeriodSeconds }}
scaleDown:
  stabilizationWindowSeconds: {{ .Values.autoscaling.scaleDownStabilizationSeconds }}
  policies:
    - type: Pods
      value: 1
      periodSeconds: {{ .Values.autoscaling.scaleDownPeriodSeconds }}
{{- end -}}

{{/* Every template takes the context of this chart: `.`, or `.Subcharts.patchgate` in a chart that depends on it. */}}

{{- define "patchgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Short enough for `-admin` behind it. */}}
{{- define "patchgate.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 57 | trimSuffix "-" }}
{{- else }}
{{- $name := include "patchgate.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 57 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 57 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "patchgate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "patchgate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "patchgate.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "patchgate.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "patchgate.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "patchgate.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "patchgate.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The gateway file, with what the chart adds where the values say nothing. */}}
{{- define "patchgate.config" -}}
{{- $config := deepCopy .Values.config }}
{{- $sidecar := eq .Values.mode "sidecar" }}
{{- $admin := default dict $config.admin }}
{{- $hosts := default list $admin.hosts }}
{{- if not $sidecar }}
{{- $name := printf "%s-admin" (include "patchgate.fullname" .) }}
{{- $space := printf "%s.%s" $name .Release.Namespace }}
{{- $hosts = concat $hosts (list $name $space (printf "%s.svc" $space) (printf "%s.svc.cluster.local" $space)) | uniq }}
{{- end }}
{{- $_ := set $config "admin" (merge (dict "hosts" $hosts) $admin (dict "listen" "0.0.0.0:9090")) }}
{{- $fixed := dict "apiVersion" "patchgate/v1" "kind" "Gateway" }}
{{- $listen := ternary "127.0.0.1:8080" "0.0.0.0:8080" $sidecar }}
{{- merge $fixed $config (dict "listen" $listen "policy" "policies/partner-center-referrals.yaml") | toYaml }}
{{- end }}

{{- define "patchgate.port" -}}
{{- (include "patchgate.config" . | fromYaml).listen | splitList ":" | last }}
{{- end }}

{{- define "patchgate.adminPort" -}}
{{- (include "patchgate.config" . | fromYaml).admin.listen | splitList ":" | last }}
{{- end }}

{{/* The text of every file by its path beneath /etc/patchgate, as JSON, which keeps the last line break. */}}
{{- define "patchgate.files" -}}
{{- $files := dict }}
{{- if .Values.policy.shipped }}
{{- range $path, $_ := .Files.Glob "files/**" }}
{{- $_ := set $files (trimPrefix "files/" $path) ($.Files.Get $path) }}
{{- end }}
{{- end }}
{{- range $path, $text := .Values.policy.files }}
{{- $_ := set $files $path $text }}
{{- end }}
{{- $_ := set $files "config/patchgate.yaml" (printf "%s\n" (include "patchgate.config" .)) }}
{{- toJson $files }}
{{- end }}

{{/* The container, without a name for its place: a container of the Deployment, a sidecar elsewhere. */}}
{{- define "patchgate.container" -}}
name: patchgate
image: {{ include "patchgate.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [run, --config, /etc/patchgate/config/patchgate.yaml]
ports:
  - name: patchgate
    containerPort: {{ include "patchgate.port" . }}
  - name: patchgate-admin
    containerPort: {{ include "patchgate.adminPort" . }}
{{- with .Values.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
startupProbe:
  {{- toYaml .Values.startupProbe | nindent 2 }}
livenessProbe:
  {{- toYaml .Values.livenessProbe | nindent 2 }}
readinessProbe:
  {{- toYaml .Values.readinessProbe | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
  - name: patchgate
    mountPath: /etc/patchgate
    readOnly: true
  {{- if .Values.existingSecret }}
  - name: patchgate-secrets
    mountPath: /run/secrets/patchgate
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* For `initContainers` of a pod: `Always` makes it a sidecar. */}}
{{- define "patchgate.sidecar" -}}
- {{ include "patchgate.container" . | nindent 2 | trim }}
  restartPolicy: Always
{{- end }}

{{/* For `volumes` of the same pod. They are mounted whole, since with `subPath` a change would never arrive. */}}
{{- define "patchgate.volumes" -}}
- name: patchgate
  configMap:
    name: {{ include "patchgate.fullname" . }}
    items:
      {{- range $path, $_ := include "patchgate.files" . | fromJson }}
      - key: {{ $path | replace "/" "." }}
        path: {{ $path }}
      {{- end }}
{{- if .Values.existingSecret }}
- name: patchgate-secrets
  secret:
    secretName: {{ .Values.existingSecret }}
    defaultMode: 0440
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

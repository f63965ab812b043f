{{- /* A line without a value, such as `settings:` above comments, is null and removes the defaults. */ -}}
{{- define "aio.checkNulls" -}}
{{- range $path := list
    "crds" "crds.enabled" "crds.keep" "rbac" "rbac.create" "serviceAccount" "serviceAccount.create"
    "serviceAccountTokens" "serviceAccountTokens.mode" "settings" "settings.healthPort"
    "livenessProbe" "readinessProbe" "networkPolicy" "podMonitor" "serviceMonitor" "replicaCount"
    "leaderElection" "leaderElection.enabled" -}}
{{- $value := $.Values -}}
{{- range splitList "." $path -}}
{{- if hasKey $value . | not | or (kindIs "invalid" (get $value .)) -}}
{{- printf "%s is null: remove the line, or give it a value" $path | fail -}}
{{- end -}}
{{- $value = get $value . -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "aio.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "aio.fullname" -}}
{{- $name := include "aio.name" . -}}
{{- $derived := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $derived | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "aio.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "aio.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- /* The namespace in which the operator keeps the Secret with its key. */ -}}
{{- define "aio.ownNamespace" -}}
{{- .Values.settings.operatorNamespace | default .Release.Namespace -}}
{{- end -}}

{{- define "aio.selectorLabels" -}}
app.kubernetes.io/name: {{ include "aio.name" . | toYaml }}
app.kubernetes.io/instance: {{ .Release.Name | toYaml }}
{{- end -}}

{{- /* Metadata of the objects of `helm test`: takes (list context name weight). The labels differ from the
operator's, so that its monitors and policies do not select the test pod. */ -}}
{{- define "aio.testMetadata" -}}
{{- $context := index . 0 -}}
{{- $labels := dict
    "app.kubernetes.io/name" (printf "%s-test" (include "aio.name" $context | trunc 58))
    "app.kubernetes.io/instance" $context.Release.Name -}}
{{- $annotations := dict
    "helm.sh/hook" "test"
    "helm.sh/hook-weight" (index . 2 | toString)
    "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded" -}}
name: {{ index . 1 | toYaml }}
namespace: {{ $context.Release.Namespace | toYaml }}
labels:
  {{- mergeOverwrite (dict) ($context.Values.commonLabels | default dict) $labels | toYaml | nindent 2 }}
annotations:
  {{- mergeOverwrite (dict) ($context.Values.commonAnnotations | default dict) $annotations | toYaml | nindent 2 }}
{{- end -}}

{{- define "aio.labels" -}}
{{- include "aio.checkNulls" . -}}
{{- $own := dict
    "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63)
    "app.kubernetes.io/version" .Chart.AppVersion
    "app.kubernetes.io/managed-by" .Release.Service -}}
{{- toYaml (mergeOverwrite (dict) (.Values.commonLabels | default dict) $own (include "aio.selectorLabels" . | fromYaml)) -}}
{{- end -}}

{{- /* Metadata of an object: takes (list context name namespace), with an empty namespace for cluster-scoped
objects, and optionally extra labels and annotations as the fourth and fifth entries. */ -}}
{{- define "aio.metadata" -}}
{{- $labels := include "aio.labels" (index . 0) | fromYaml -}}
{{- $annotations := mergeOverwrite (dict) ((index . 0).Values.commonAnnotations | default dict) -}}
{{- if gt (len .) 3 -}}
{{- $labels = mergeOverwrite $labels (index . 3 | default dict) -}}
{{- end -}}
{{- if gt (len .) 4 -}}
{{- $annotations = mergeOverwrite $annotations (index . 4 | default dict) -}}
{{- end -}}
name: {{ index . 1 | toYaml }}
{{- with index . 2 }}
namespace: {{ toYaml . }}
{{- end }}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* The settings that differ from the operator's defaults as flags, one per line; an empty setting has no
flag. */ -}}
{{- define "aio.flags" -}}
{{- $settings := .Values.settings -}}
{{- $defaults := include "aio.settingDefaults" . | fromYaml -}}
{{- with .Values.watchNamespaces }}
- --namespace={{ join "," . }}
{{- end }}
{{- with include "aio.electionFlags" . }}
{{ . }}
{{- end }}
{{- with include "aio.clusterKindsFlags" . }}
{{ . }}
{{- end }}
{{- range $key := keys $settings | sortAlpha }}
{{- $value := get $settings $key }}
{{- $text := ternary (join "," $value) (toString (ternary (int64 $value) $value (kindIs "float64" $value))) (kindIs "slice" $value) }}
{{- if and $text (not (kindIs "invalid" $value)) (ne (toJson $value) (get $defaults $key | toJson)) }}
- {{ printf "--%s=%s" (kebabcase $key) $text | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Where and when Prometheus scrapes; takes the values of a monitor. With honorLabels the label `namespace`
stays the namespace of the object. */ -}}
{{- define "aio.scrape" -}}
port: http
path: /metrics
honorLabels: true
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* What a monitor selects; takes (list context values-of-the-monitor). */ -}}
{{- define "aio.monitored" -}}
{{- $context := index . 0 -}}
{{- with index . 1 -}}
selector:
  matchLabels:
    {{- include "aio.selectorLabels" $context | nindent 4 }}
{{- if .namespace }}
namespaceSelector:
  matchNames: [{{ $context.Release.Namespace | toYaml }}]
{{- end }}
{{- with .jobLabel }}
jobLabel: {{ toYaml . }}
{{- end }}
{{- end -}}
{{- end -}}

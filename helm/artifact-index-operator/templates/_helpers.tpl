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

{{- /* Where the operator keeps the Secret with its key. */ -}}
{{- define "aio.ownNamespace" -}}
{{- .Values.settings.operatorNamespace | default .Release.Namespace -}}
{{- end -}}

{{- define "aio.selectorLabels" -}}
app.kubernetes.io/name: {{ include "aio.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* Of the pod that `helm test` runs. */ -}}
{{- define "aio.testLabels" -}}
app.kubernetes.io/name: {{ include "aio.name" . | trunc 58 }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "aio.labels" -}}
{{- $own := dict
    "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63)
    "app.kubernetes.io/version" .Chart.AppVersion
    "app.kubernetes.io/managed-by" .Release.Service -}}
{{- toYaml (mergeOverwrite (dict) .Values.commonLabels $own (include "aio.selectorLabels" . | fromYaml)) -}}
{{- end -}}

{{- /* Metadata of an object: takes (list context name namespace); no namespace for the cluster's. */ -}}
{{- define "aio.metadata" -}}
{{- $context := index . 0 -}}
name: {{ index . 1 }}
{{- with index . 2 }}
namespace: {{ . }}
{{- end }}
labels:
  {{- include "aio.labels" $context | nindent 2 }}
{{- end -}}

{{- define "aio.image" -}}
{{- $image := .Values.image -}}
{{- $tag := $image.tag | default (ternary "" .Chart.AppVersion (not (empty $image.digest))) -}}
{{- $image.repository }}{{ with $tag }}:{{ . }}{{ end }}{{ with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- /* The operator's settings as flags, one a line; what is empty has no flag. */ -}}
{{- define "aio.flags" -}}
{{- $settings := .Values.settings -}}
{{- with .Values.watchNamespaces }}
- --namespace={{ join "," . }}
{{- end }}
{{- range $key := keys $settings | sortAlpha }}
{{- $value := get $settings $key }}
{{- $text := ternary (join "," $value) (toString (ternary (int64 $value) $value (kindIs "float64" $value))) (kindIs "slice" $value) }}
{{- if and $text (not (kindIs "invalid" $value)) }}
- {{ printf "--%s=%s" (kebabcase $key) $text | quote }}
{{- end }}
{{- end }}
{{- end -}}

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
app.kubernetes.io/name: {{ include "aio.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* Metadata of the objects of `helm test`: takes (list context name weight). The labels differ from the
operator's, so that its monitors and policies do not select the test pod. */ -}}
{{- define "aio.testMetadata" -}}
{{- $context := index . 0 -}}
name: {{ index . 1 }}
namespace: {{ $context.Release.Namespace }}
labels:
  app.kubernetes.io/name: {{ include "aio.name" $context | trunc 58 }}-test
  app.kubernetes.io/instance: {{ $context.Release.Name }}
annotations:
  helm.sh/hook: test
  helm.sh/hook-weight: {{ index . 2 | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{- define "aio.labels" -}}
{{- $own := dict
    "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63)
    "app.kubernetes.io/version" .Chart.AppVersion
    "app.kubernetes.io/managed-by" .Release.Service -}}
{{- toYaml (mergeOverwrite (dict) .Values.commonLabels $own (include "aio.selectorLabels" . | fromYaml)) -}}
{{- end -}}

{{- /* Metadata of an object: takes (list context name namespace), with an empty namespace for cluster-scoped
objects, and optionally extra labels as the fourth entry. */ -}}
{{- define "aio.metadata" -}}
{{- $labels := include "aio.labels" (index . 0) | fromYaml -}}
{{- if gt (len .) 3 -}}
{{- $labels = mergeOverwrite $labels (index . 3) -}}
{{- end -}}
name: {{ index . 1 }}
{{- with index . 2 }}
namespace: {{ . }}
{{- end }}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- end -}}

{{- define "aio.image" -}}
{{- $image := .Values.image -}}
{{- $tag := $image.tag | default (ternary "" .Chart.AppVersion (not (empty $image.digest))) -}}
{{- $image.repository }}{{ with $tag }}:{{ . }}{{ end }}{{ with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- /* The operator's settings as flags, one per line; an empty setting has no flag. */ -}}
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
{{- end -}}

{{- /* The image. A registry that is set replaces the one in the repository, if it has one there: a first part with
a dot or a port, or localhost. */ -}}
{{- define "aio.image" -}}
{{- $image := .Values.image -}}
{{- if not $image.repository -}}
{{- include "aio.noImage" . | fail -}}
{{- end -}}
{{- $name := $image.repository -}}
{{- with (.Values.global).imageRegistry | default $image.registry -}}
{{- $name = printf "%s/%s" (trimSuffix "/" .) (regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $name "") -}}
{{- end -}}
{{- $tag := $image.tag | default (ternary "" .Chart.AppVersion (not (empty $image.digest))) -}}
{{- $name }}{{ with $tag }}:{{ . }}{{ end }}{{ with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- define "aio.noImage" -}}
{{- $example := "registry.example.com/artifact-index-operator" }}
image.repository is empty: no image of the operator is published yet. In a checkout, build and push one:

  docker build --tag {{ $example }}:{{ .Chart.AppVersion }} .
  docker push {{ $example }}:{{ .Chart.AppVersion }}

then add

  --set image.repository={{ $example }}
{{ end -}}

{{- define "aio.pullSecrets" -}}
{{- $names := list -}}
{{- range concat ((.Values.global).imagePullSecrets | default list) (.Values.imagePullSecrets | default list) -}}
{{- if kindIs "string" . -}}
{{- $names = append $names . -}}
{{- else -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}
{{- if $names -}}
imagePullSecrets:
{{- range uniq $names }}
  - name: {{ toYaml . }}
{{- end }}
{{- end -}}
{{- end -}}

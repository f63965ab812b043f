{{- /* Hosts that must bypass the proxy: the API server and the clouds' metadata servers. */ -}}
{{- define "aio.noProxy" -}}
{{- $own := list "$(KUBERNETES_SERVICE_HOST)" "169.254.169.254" "169.254.170.23" "metadata.google.internal" -}}
{{- concat $own (compact (list .Values.proxy.noProxy)) | join "," -}}
{{- end -}}

{{- define "aio.caFolder" -}}
/etc/artifact-index/ca
{{- end -}}

{{- define "aio.caVolume" -}}
{{- $ca := .Values.caBundle -}}
{{- if and $ca.configMap $ca.secret -}}
{{- fail "caBundle: set configMap or secret, not both" -}}
{{- end -}}
{{- if $ca.configMap -}}
configMap:
  name: {{ $ca.configMap | toYaml }}
{{- else if $ca.secret -}}
secret:
  secretName: {{ $ca.secret | toYaml }}
{{- end -}}
{{- if or $ca.configMap $ca.secret }}
  items:
    - key: {{ $ca.key | quote }}
      path: ca.crt
{{- end -}}
{{- end -}}

{{- /* Variables of settings from which more than a flag follows, and the values that set them: ports, probes,
permissions, or what the notes say of consents and hosts. */ -}}
{{- define "aio.checkExtraEnv" -}}
{{- $values := dict
    "ARTIFACT_INDEX_NAMESPACES" "watchNamespaces"
    "ARTIFACT_INDEX_OPERATOR_NAMESPACE" "settings.operatorNamespace"
    "ARTIFACT_INDEX_HEALTH_PORT" "settings.healthPort"
    "ARTIFACT_INDEX_OPERATOR_IDENTITY_NAMESPACES" "settings.operatorIdentityNamespaces"
    "ARTIFACT_INDEX_ALLOWED_HOSTS" "settings.allowedHosts"
    "ARTIFACT_INDEX_ALLOW_HTTP" "settings.allowHttp"
    "ARTIFACT_INDEX_LEADER_ELECT" "leaderElection.enabled" -}}
{{- range .Values.extraEnv -}}
{{- with get $values .name -}}
{{- printf "extraEnv: set %s instead: ports, permissions or the notes of the chart follow from it" . | fail -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "aio.environment" -}}
{{- include "aio.checkExtraEnv" . -}}
{{- $entries := list -}}
{{- with .Values.proxy -}}
{{- if .https -}}{{- $entries = append $entries (dict "name" "HTTPS_PROXY" "value" .https) -}}{{- end -}}
{{- if .http -}}{{- $entries = append $entries (dict "name" "HTTP_PROXY" "value" .http) -}}{{- end -}}
{{- if or .https .http -}}
{{- $entries = append $entries (dict "name" "NO_PROXY" "value" (include "aio.noProxy" $)) -}}
{{- end -}}
{{- end -}}
{{- if include "aio.caVolume" . -}}
{{- $file := printf "%s/ca.crt" (include "aio.caFolder" .) -}}
{{- range list "AWS_CA_BUNDLE" "REQUESTS_CA_BUNDLE" -}}
{{- $entries = append $entries (dict "name" . "value" $file) -}}
{{- end -}}
{{- end -}}
{{- with concat $entries (.Values.extraEnv | default list) -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

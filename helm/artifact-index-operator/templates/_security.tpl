{{- /* What the Pod Security Standard `restricted` requires, plus a read-only root file system; users can set
only the ids. */ -}}
{{- define "aio.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  {{- range $key, $id := .Values.podSecurityContext }}
  {{- if not (kindIs "invalid" $id) }}
  {{ $key }}: {{ int64 $id }}
  {{- end }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "aio.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

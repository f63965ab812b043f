{{- /* The permissions in a served namespace. RBAC cannot filter by label. */ -}}
{{- define "aio.rules" -}}
- apiGroups: [artifactindex.dev]
  resources: [artifactindexes, indexoptions]
  verbs: [list, watch]
- apiGroups: [artifactindex.dev]
  resources: [indexoptions]
  verbs: [get]
- apiGroups: [artifactindex.dev]
  resources: [artifactindexes/status, indexoptions/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [secrets, configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end -}}

{{- /* Access to the Secret with the operator's key, if it serves only other namespaces. */ -}}
{{- define "aio.keyRules" -}}
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [artifact-index-operator-signing-key]
  verbs: [get]
# RBAC cannot limit `create` by name.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
{{- end -}}

{{- /* Permission to request tokens of ServiceAccounts; takes their names, or an empty list for all. */ -}}
{{- define "aio.tokenRules" -}}
- apiGroups: [""]
  resources: [serviceaccounts]
  {{- with . }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [get]
- apiGroups: [""]
  resources: [serviceaccounts/token]
  {{- with . }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [create]
{{- end -}}

{{- /* A role with its binding: takes (list context kind name namespace rules). */ -}}
{{- define "aio.grant" -}}
{{- $context := index . 0 -}}
{{- $kind := index . 1 -}}
{{- $metadata := include "aio.metadata" (list $context (index . 2) (index . 3)) -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  {{- $metadata | nindent 2 }}
rules:
  {{- index . 4 | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  {{- $metadata | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ index . 2 | toYaml }}
subjects:
  - kind: ServiceAccount
    name: {{ include "aio.serviceAccount" $context | toYaml }}
    namespace: {{ $context.Release.Namespace | toYaml }}
{{- end -}}

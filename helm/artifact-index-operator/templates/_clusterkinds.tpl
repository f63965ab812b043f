{{- /* "true" if the kinds of cluster scope are served: by default in an installation for the whole cluster. */ -}}
{{- define "aio.clusterKinds" -}}
{{- $enabled := (.Values.clusterKinds | default dict).enabled -}}
{{- if and $enabled .Values.watchNamespaces -}}
{{- fail "clusterKinds.enabled is true and watchNamespaces is not empty: ClusterArtifactIndex and ClusterIndexOptions need an installation for the whole cluster; remove one of the two" -}}
{{- end -}}
{{- if and (not .Values.watchNamespaces) (or $enabled (kindIs "invalid" $enabled)) -}}true{{- end -}}
{{- end -}}

{{- define "aio.clusterKindsFlags" -}}
{{- if include "aio.clusterKinds" . -}}
- --cluster-kinds=true
{{- with .Values.clusterKinds }}
{{- with .resourceNamespace }}
- {{ printf "--cluster-resource-namespace=%s" . | quote }}
{{- end }}
{{- with .namespaces }}
- {{ printf "--cluster-kinds-namespaces=%s" (join "," .) | quote }}
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}

{{- /* What the kinds of cluster scope need beside the permissions in every namespace. */ -}}
{{- define "aio.clusterKindsRules" -}}
- apiGroups: [artifactindex.dev]
  resources: [clusterartifactindexes, clusterindexoptions]
  verbs: [list, watch]
- apiGroups: [artifactindex.dev]
  resources: [clusterindexoptions]
  verbs: [get]
- apiGroups: [artifactindex.dev]
  resources: [clusterartifactindexes/status, clusterindexoptions/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
{{- end -}}

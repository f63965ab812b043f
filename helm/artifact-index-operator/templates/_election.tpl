{{- /* The number of pods; more than one need an election. */ -}}
{{- define "aio.replicas" -}}
{{- $count := int64 .Values.replicaCount -}}
{{- if and (gt $count 1) (not .Values.leaderElection.enabled) -}}
{{- printf "replicaCount is %d and leaderElection.enabled is false: all of them would mint the same tokens and write the same objects; set leaderElection.enabled=true, or replicaCount=1" $count | fail -}}
{{- end -}}
{{- $count -}}
{{- end -}}

{{- /* Replicas on one node would be lost with it. Where there is only one node, they share it. The hash makes the
pods of an upgrade count by themselves. */ -}}
{{- define "aio.spread" -}}
{{- if .Values.topologySpreadConstraints -}}
{{- toYaml .Values.topologySpreadConstraints -}}
{{- else if gt (int64 .Values.replicaCount) 1 -}}
{{- range $number, $topology := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
{{- if $number }}
{{ end -}}
- maxSkew: 1
  topologyKey: {{ $topology }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "aio.selectorLabels" $ | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end -}}
{{- end -}}

{{- /* The flags of the election; takes the times from the values that differ from the operator's defaults. */ -}}
{{- define "aio.electionFlags" -}}
{{- if .Values.leaderElection.enabled -}}
- --leader-elect=true
{{- $defaults := include "aio.electionDefaults" . | fromYaml }}
{{- range $key := keys $defaults | sortAlpha }}
{{- $value := get $.Values.leaderElection $key }}
{{- if and $value (ne $value (get $defaults $key)) }}
- {{ printf "--%s=%s" (kebabcase $key) $value | quote }}
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}

{{- /* The Lease of an installation, by the namespaces that it serves: the operator computes the same name, and of
two installations for the same namespaces only one works. */ -}}
{{- define "aio.leaseName" -}}
artifact-index-operator
{{- with .Values.watchNamespaces }}-{{ uniq . | sortAlpha | join "," | sha256sum | trunc 10 }}{{ end -}}
{{- end -}}

{{- /* Access to the Lease, in the namespace of the operator's key. */ -}}
{{- define "aio.leaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "aio.leaseName" . }}]
  verbs: [watch, update]
# RBAC cannot limit `create` by name. What other installations here have is only read.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, create]
{{- end -}}

//go:build tools

// Package tools pins the API server of a release: go.mod and go.sum then hold
// every module it needs, by hash.
package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
)

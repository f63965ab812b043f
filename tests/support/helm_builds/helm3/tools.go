//go:build tools

// Package tools pins the Helm 3 of the chart's tests: go.mod and go.sum then
// hold every module it needs, by hash.
package tools

import (
	_ "helm.sh/helm/v3/cmd/helm"
)

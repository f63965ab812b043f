//go:build tools

// Package tools pins kind: go.mod and go.sum then hold every module it needs, by hash.
package tools

import (
	_ "sigs.k8s.io/kind"
)

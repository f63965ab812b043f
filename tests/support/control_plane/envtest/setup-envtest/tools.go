//go:build tools

// Package tools pins the program that fetches published binaries: go.mod and go.sum
// then hold every module it needs, by hash.
package tools

import (
	_ "sigs.k8s.io/controller-runtime/tools/setup-envtest"
)

//go:build tools

// Package tools pins krew and its validation: go.mod and go.sum then hold every module, by hash.
package tools

import (
	_ "sigs.k8s.io/krew/cmd/krew"
	_ "sigs.k8s.io/krew/cmd/validate-krew-manifest"
)

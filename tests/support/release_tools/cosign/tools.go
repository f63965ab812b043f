//go:build tools

// Package tools pins cosign and crane, which sign and push a release: go.mod
// and go.sum then hold every module they need, by hash.
package tools

import (
	_ "github.com/google/go-containerregistry/cmd/crane"
	_ "github.com/sigstore/cosign/v3/cmd/cosign"
)

//go:build tools

// Package tools pins actionlint: go.mod and go.sum then hold every module it
// needs, by hash.
package tools

import (
	_ "github.com/rhysd/actionlint/cmd/actionlint"
)

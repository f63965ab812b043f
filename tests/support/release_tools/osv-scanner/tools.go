//go:build tools

// Package tools pins osv-scanner, which looks up known vulnerabilities: go.mod
// and go.sum then hold every module it needs, by hash.
package tools

import (
	_ "github.com/google/osv-scanner/v2/cmd/osv-scanner"
)

//go:build tools

// Package tools pins promtool: go.mod and go.sum then hold every module it needs, by hash.
package tools

import (
	_ "github.com/prometheus/prometheus/cmd/promtool"
)

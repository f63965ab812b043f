//go:build tools

// Package tools pins the etcd of the test control plane: go.mod and go.sum
// then hold every module it needs, by hash.
package tools

import (
	_ "go.etcd.io/etcd/server/v3"
)

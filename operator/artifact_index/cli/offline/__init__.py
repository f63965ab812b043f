"""The operator without a cluster: manifests in, its outputs and conditions out."""

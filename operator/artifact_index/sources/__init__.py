"""Source kinds: how each `spec` source of an ArtifactIndex is checked and resolved."""

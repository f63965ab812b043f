"""The kinds of cluster scope: one pass for all namespaces, then a write for each."""

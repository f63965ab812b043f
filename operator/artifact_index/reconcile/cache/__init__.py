"""The in-memory copy of the cluster, and how objects get into it."""

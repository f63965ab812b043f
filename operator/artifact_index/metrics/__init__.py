"""Metrics for Prometheus: what there is, how it is counted and collected, and its reference."""

"""Metrics for Prometheus: the catalogue, counters, gauges read at each scrape, the reference."""

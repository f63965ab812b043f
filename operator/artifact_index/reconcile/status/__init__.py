"""Conditions, statuses and events."""

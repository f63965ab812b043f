"""Writes and prunes outputs."""

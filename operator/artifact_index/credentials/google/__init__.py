"""Tokens of Google Artifact Registry."""

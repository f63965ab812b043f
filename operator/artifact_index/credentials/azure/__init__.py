"""Tokens of Azure Artifacts."""

"""Tokens and URLs of AWS CodeArtifact."""

"""Sources of an ArtifactIndex: where an index is and how to log in to it; one module each."""

"""The kinds of cluster scope: one definition for many namespaces."""

"""Kinds of sources: one module each, which knows how its indexes are checked and reached."""

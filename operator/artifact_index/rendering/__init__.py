"""Rendering: from typed index entries to files, as pure functions without I/O."""

"""Controller state that no API object stores, and its restoration after a restart."""

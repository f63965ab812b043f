"""The API: models of both kinds, their conditions and reasons. Nothing here does I/O."""

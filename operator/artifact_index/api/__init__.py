"""The API: models of our kinds, their conditions and reasons. Nothing here does I/O."""

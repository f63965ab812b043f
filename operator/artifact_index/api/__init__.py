"""The API: models of both kinds, their conditions and reasons, and the CRD generator.

Nothing here does I/O and nothing here imports another part of the package.
"""

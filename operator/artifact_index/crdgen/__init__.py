"""Generates the CRDs and their reference from the models: at build time, and for `crds`."""

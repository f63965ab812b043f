"""Asks indexes and clouds as a builder or the operator would: never a part of `run`."""

"""A user who never rests, a reader who misses nothing, and what the outputs ought to be."""

from support.chaos.fleet import Fleet
from support.chaos.reader import Reader

__all__ = ["Fleet", "Reader"]

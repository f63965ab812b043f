"""Mistakes of a first day, made on a real API server, and what the user is told about each.

`python -m support.first_day` writes docs/reference/messages.md, which a test holds current.
"""

from support.first_day.answer import Answer, says
from support.first_day.mistakes import Mistake, mistakes
from support.first_day.page import MESSAGES, page_of
from support.first_day.run import PATHS, answers

__all__ = ["MESSAGES", "PATHS", "Answer", "Mistake", "answers", "mistakes", "page_of", "says"]

"""docs/reference/messages.md: every mistake with the answer to it."""

import textwrap
from typing import Final

from support.first_day.answer import Answer
from support.operator_process import REPOSITORY

MESSAGES: Final = REPOSITORY / "docs" / "reference" / "messages.md"

_HEAD: Final = """\
<!-- Written by python -m support.first_day from a run on a real API server; do not edit. -->
# Messages

Ordinary mistakes, and the answer to each, as a test gets it from a real API server and the operator
(`tests/cluster/test_first_day.py`). Each names the object, its field, what is wrong and the next
step. Times and ports are examples; `GOOGLE_KEY` stands for a key file. The stand-in for AWS breaks
a connection where the name of a real host would not be found.
"""


def page_of(answers: list[Answer]) -> str:
    """The page."""
    return "\n".join([_HEAD, *map(_section, answers)])


def _section(answer: Answer) -> str:
    language = "yaml" if answer.done.startswith("apiVersion:") else "sh"
    quote = textwrap.fill(
        answer.text, 100, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
    return (
        f"## {answer.title}\n\n```{language}\n{answer.done}```\n\n"
        f"By {answer.by}:\n\n```text\n{quote}\n```\n"
    )

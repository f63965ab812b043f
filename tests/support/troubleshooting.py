"""The page on troubleshooting: its sections, and what it quotes of clients."""

import re

from support.operator_process import REPOSITORY

PAGE = REPOSITORY / "docs" / "how-to" / "troubleshooting.md"
_QUOTED = re.compile(r"^(\w+):\n\n```text\n(.*?)^```", re.MULTILINE | re.DOTALL)


def sections() -> dict[str, str]:
    """The text of each section of symptoms by its heading, without backticks."""
    _, *parts = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    split = (part.partition("\n") for part in parts)
    return {heading.replace("`", ""): text for heading, _, text in split}


def quoted() -> dict[tuple[str, str], list[str]]:
    """What a client prints, by the first word of the section's heading and the client's name."""
    return {
        (heading.split()[0].rstrip(":"), client): lines.splitlines()
        for heading, text in sections().items()
        for client, lines in _QUOTED.findall(text)
    }

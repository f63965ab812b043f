"""The URL at which builds stop."""

from typing import Final

COMMAND: Final = "kubectl+describe+artifactindex+acme+-n+builders"
"""What a client prints of a blocked entry of ArtifactIndex `acme` in namespace `builders`."""


def blocked_at(
    about: str, namespace: str = "builders", *, name: str = "", kind: str = "artifactindex"
) -> str:
    """The URL of a blocked entry, which names the object that it is `about`.

    `name` is that of the index in the file, if it is another one.
    """
    command = f"kubectl+describe+{kind}+{about}+-n+{namespace}"
    return f"https://{name or about}.unavailable.invalid/{command}/simple/"

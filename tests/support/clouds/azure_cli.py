"""Azure's command line, as far as a program asks it for a token; it is not installed here.

Microsoft's own client takes its answers (tests/clients/test_azure_logins.py).
"""

import json
from pathlib import Path

from support.clouds.entra import AZURE_DEVOPS, TENANT

_ASKED = f"""
case " $* " in
  " account get-access-token "*) ;;
  *) exit 2 ;;
esac
case " $* " in
  *" --resource {AZURE_DEVOPS} "*) ;;
  *) exit 2 ;;
esac
case " $* " in
  *" --output json "*) ;;
  *) exit 2 ;;
esac
"""


def azure_cli(folder: Path, *lines: str) -> Path:
    """A folder for PATH with `az`, which runs these lines of a shell."""
    program = folder / "bin" / "az"
    program.parent.mkdir()
    program.write_text("\n".join(("#!/bin/sh", _ASKED, *lines, "")))
    program.chmod(0o755)
    return program.parent


def logged_in(token: str, expires_on: int) -> str:
    """The line that answers a token (az 2.54 and newer have `expires_on`, in POSIX seconds)."""
    answer = {
        "accessToken": token,
        "expiresOn": "2100-01-01 00:00:00.000000",
        "expires_on": expires_on,
        "subscription": TENANT,
        "tenant": TENANT,
        "tokenType": "Bearer",
    }
    return f"echo '{json.dumps(answer)}'"

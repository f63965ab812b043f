"""The login of whoever runs a command of ours, as Azure's own command line knows it.

The operator itself never asks it.
"""

import contextlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any, Final

from artifact_index.api.reasons import Reason
from artifact_index.credentials.azure.requests import AZURE_DEVOPS
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.web.jwt import is_token

# As azure-identity's `AzureCliCredential` asks.
_GET_TOKEN: Final = ("account", "get-access-token", "--resource", AZURE_DEVOPS, "--output", "json")
_SECONDS: Final = 30.0


def token_of_caller() -> Mapping[str, Any]:
    """A token, with the members that the metadata server has. Raises LoginError."""
    command, told = (shutil.which("az") or "az", *_GET_TOKEN), None
    with contextlib.suppress(OSError, ValueError, subprocess.TimeoutExpired):
        done = subprocess.run(  # noqa: S603 - the program that the caller's PATH names
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
        told = json.loads(done.stdout)
    if isinstance(told, dict) and is_token(told.get("accessToken")):
        return {"access_token": told["accessToken"], "expires_on": told.get("expires_on")}
    raise LoginError(
        Reason.NO_OPERATOR_IDENTITY,
        "you have no Azure identity: run `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and "
        "AZURE_FEDERATED_TOKEN_FILE",
    )

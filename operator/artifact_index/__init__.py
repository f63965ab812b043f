"""artifact-index-operator: declared Python package indexes in, an always fresh uv.toml out.

Of the official Kubernetes client only `kubernetes.aio` is used. Its parent package, which kopf
imports as well if it can, brings the synchronous half with requests, oauthlib and
websocket-client: 18 MiB and 0.25 s. Both are told here that there is none.
"""

import sys
from importlib import util

_client = util.find_spec("kubernetes")
if _client is not None and "kubernetes" not in sys.modules:
    sys.modules["kubernetes"] = util.module_from_spec(_client)
    # None is how Python is told that a module cannot be imported (`sys.modules`).
    sys.modules["kubernetes.client"] = sys.modules["kubernetes.config"] = None  # type: ignore[assignment]

__version__ = "0.2.0"

"""The check of `helm test`: are both kinds served, and is the operator ready?

Takes the namespace and the name of the Deployment. A pod is ready when the operator's /readyz
answers ok, which requires that it has listed both kinds. Retries for a minute, then exits with 1
and the reason.
"""

import json
import os
import ssl
import sys
import time
import urllib.request

LOGIN = "/var/run/secrets/kubernetes.io/serviceaccount"
API = "/apis/artifactindex.dev/v1alpha1"
KINDS = {"artifactindexes", "indexoptions"}


def get(path):
    """Return the JSON object at a path of the API server; raises OSError."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    url = f"https://{f'[{host}]' if ':' in host else host}:{port}{path}"
    with open(f"{LOGIN}/token") as token:
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token.read()}"})
    trust = ssl.create_default_context(cafile=f"{LOGIN}/ca.crt")
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
    )
    with opener.open(request, timeout=5) as answer:
        return json.load(answer)


def problem(namespace, name):
    """Return what is wrong, or an empty string."""
    try:
        missing = KINDS - {resource["name"] for resource in get(API)["resources"]}
        deployment = get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
    except OSError as error:
        return f"the API server: {error}"
    if missing:
        return f"not served: {', '.join(sorted(missing))}"
    status = deployment.get("status", {})
    current = status.get("observedGeneration") == deployment["metadata"]["generation"]
    if not current or not status.get("updatedReplicas") or not status.get("readyReplicas"):
        return f"Deployment {namespace}/{name} has no ready pod of its newest template"
    return ""


deadline = time.monotonic() + 60
while reason := problem(*sys.argv[1:]):
    if time.monotonic() > deadline:
        sys.exit(reason)
    time.sleep(1)
print(f"both kinds are served, and Deployment {'/'.join(sys.argv[1:])} is ready")

"""`python -m bench.both_clouds run …`: the operator with Google's SDK loaded beside boto3.

Its memory is promised with both, and no scene logs in to both clouds.
"""

import sys

import google.auth.compute_engine
import google.auth.identity_pool
import google.auth.impersonated_credentials
import google.auth.transport.requests
import google.oauth2.service_account  # noqa: F401

from artifact_index.cli import main

if __name__ == "__main__":
    sys.argv[0] = "artifact-index"
    sys.exit(main())

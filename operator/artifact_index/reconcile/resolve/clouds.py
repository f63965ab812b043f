"""The tokens and repository URLs of all clouds, by the IndexOptions that require them."""

from artifact_index.credentials.aws.endpoint_entry import EndpointState
from artifact_index.credentials.aws.endpoints import Endpoints
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.credentials.tokens.token_state import TokenState
from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.reconcile.resolve.requirements import Requirements
from artifact_index.sources.base import ResolvedSource


class Clouds:
    """The token manager and the endpoints as one. No call waits for a cloud."""

    def __init__(self, tokens: TokenManager, endpoints: Endpoints) -> None:
        self._tokens = tokens
        self._endpoints = endpoints

    def require(self, options: ObjectRef, required: Requirements) -> None:
        """Replace what an IndexOptions requires; calls to clouds that are due start now."""
        # First the URLs: the token manager may report a change within `require`.
        self._endpoints.require(options, required.urls.values())
        self._tokens.require(options, required.tokens.values())

    def release(self, options: ObjectRef) -> None:
        """Require nothing for an IndexOptions any more; it publishes nothing."""
        self._tokens.release(options)
        self._endpoints.release(options)

    def awaits(self, options: ObjectRef) -> bool:
        """True while a cloud has not answered for something that the IndexOptions requires."""
        return self._tokens.awaits(options) or self._endpoints.awaits(options)

    def token_of(self, login: ResolvedSource, namespace: str) -> TokenState | None:
        """The state of the login's token, as the files of a namespace publish it.

        None if it has none or nobody requires it.
        """
        if login.token is None:
            return None
        return self._tokens.state_of(login.token_digest, namespace)

    def endpoint_of(self, login: ResolvedSource) -> EndpointState | None:
        """The state of the login's repository URL; None if no cloud has to be asked for it."""
        if login.endpoint is None:
            return None
        return self._endpoints.state_of(login.endpoint_digest)

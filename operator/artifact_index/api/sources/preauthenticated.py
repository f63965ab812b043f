"""A complete URL from a Secret."""

from typing import Annotated, ClassVar

from artifact_index.api.fields import DataKey
from artifact_index.api.interning import SHARED
from artifact_index.api.sources.base import SecretRef, SourceModel


class UrlSecretRef(SecretRef):
    """A complete URL in a Secret."""

    key: DataKey = "url"
    """Key of the Secret that holds the URL."""


class PreauthenticatedSource(SourceModel):
    """An index whose complete URL, login included, stands in a Secret."""

    may_be_flat: ClassVar[bool] = True

    url_secret_ref: Annotated[UrlSecretRef, SHARED]
    """The Secret with the URL. The URL is used unchanged."""

    public_path: bool = False
    """Whether the URL is no secret without its user name and password, so that a ConfigMap may hold
    it so. With false it is written to Secrets only, since its path may hold a token. A URL without
    a user name, or with a query or a fragment, is never written to a ConfigMap."""

"""A complete URL from a Secret."""

from typing import Annotated

from artifact_index.api.base import ApiModel
from artifact_index.api.fields import DataKey, ObjectName
from artifact_index.api.interning import SHARED
from artifact_index.api.sources.base import SourceModel


class UrlSecretRef(ApiModel):
    """A complete URL in a Secret."""

    name: ObjectName
    """Name of the Secret, in this namespace. Label it `artifactindex.dev/role: source` and
    changes take effect at once."""

    key: DataKey = "url"
    """Key of the Secret that holds the URL."""


class PreauthenticatedSource(SourceModel):
    """An index whose complete URL, login included, stands in a Secret."""

    url_secret_ref: Annotated[UrlSecretRef, SHARED]
    """The Secret with the URL. The URL is used as it stands."""

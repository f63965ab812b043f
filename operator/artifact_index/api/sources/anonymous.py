"""A URL without a login."""

from typing import ClassVar

from artifact_index.api.fields import Url
from artifact_index.api.sources.base import SourceModel


class AnonymousSource(SourceModel):
    """An index without a login."""

    has_login: ClassVar[bool] = False
    may_be_flat: ClassVar[bool] = True

    url: Url
    """URL of the index, as uv takes it; without user name, query and fragment."""

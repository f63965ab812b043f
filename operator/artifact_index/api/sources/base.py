"""What the models of several sources share."""

from typing import ClassVar

from artifact_index.api.base import ApiModel
from artifact_index.api.fields import ObjectName


class SourceModel(ApiModel):
    """Where an index is and how to log in to it."""

    has_login: ClassVar[bool] = True
    """Whether a login belongs to the index."""
    uploads_to_index: ClassVar[bool] = False
    """Whether packages are uploaded to the index itself; otherwise `publish_url`, if the model has
    that field, tells where."""

    may_be_flat: ClassVar[bool] = False
    """Whether the URL may be that of a page of links instead of a simple index."""

    @property
    def knows_where_to_publish(self) -> bool:
        """Whether `spec.publish` can be set."""
        return self.uploads_to_index or getattr(self, "publish_url", None) is not None


class SecretRef(ApiModel):
    """A Secret of the index's namespace; each source adds the keys that it reads."""

    name: ObjectName
    """Name of the Secret, in this namespace. Label it `artifactindex.dev/role: source` and
    changes take effect at once."""

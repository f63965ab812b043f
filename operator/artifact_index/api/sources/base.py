"""What the models of all sources share."""

from typing import ClassVar

from artifact_index.api.base import ApiModel


class SourceModel(ApiModel):
    """Where an index is and how to log in to it."""

    has_login: ClassVar[bool] = True
    """Whether a login belongs to the index."""
    uploads_to_index: ClassVar[bool] = False
    """Whether packages are uploaded to the index itself; otherwise `publish_url`, if the model has
    that field, tells where."""

    @property
    def knows_where_to_publish(self) -> bool:
        """Whether `spec.publish` can be set."""
        return self.uploads_to_index or getattr(self, "publish_url", None) is not None

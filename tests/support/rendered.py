"""The text of one file, rendered from a document by a format of the registry."""

from artifact_index.api.index_options import OutputFormat
from artifact_index.formats.document import Document
from artifact_index.formats.registry import FORMATS


def secret_text(name: OutputFormat, document: Document) -> str:
    """The file of a Secret."""
    content = FORMATS[name].render_secret(document)
    (text,) = content.files.values()
    return text.get_secret_value()


def public_text(name: OutputFormat, document: Document) -> str:
    """The file of a ConfigMap."""
    (text,) = FORMATS[name].render_public(document).files.values()
    return text

"""Uploads as twine and uv send them: the legacy upload API, a multipart form with one file."""

import email
import email.policy


def uploaded_file(content_type: str, body: bytes) -> tuple[str, str, str, bytes] | None:
    """Project name, version, file name and content of an upload; None for anything else."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    form = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    if not form.is_multipart():
        return None
    fields: dict[str, bytes] = {}
    filename = None
    for part in form.iter_parts():
        disposition = part["Content-Disposition"]
        name = disposition.params.get("name")
        payload = part.get_payload(decode=True)
        fields[name] = payload if isinstance(payload, bytes) else b""
        if name == "content":
            filename = disposition.params.get("filename")
    if filename is None or fields.get(":action") != b"file_upload":
        return None
    return fields["name"].decode(), fields["version"].decode(), filename, fields["content"]

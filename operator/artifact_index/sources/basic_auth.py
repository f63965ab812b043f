"""An index with HTTP Basic authentication: its password, and perhaps its user, in a Secret."""

from artifact_index.api.sources.basic_auth import BasicAuthSource
from artifact_index.formats.document import Credential
from artifact_index.sources import base
from artifact_index.sources.values import not_text, slip


class BasicAuth(base.Source[BasicAuthSource]):
    """A URL with a user name and a password."""

    __slots__ = ()
    field = "spec.basicAuth"

    def secret(self) -> base.SecretUse | None:
        """The Secret with the password, and with the user name unless the spec holds it."""
        reference = self.model.secret_ref
        username = [reference.username_key] if self.model.username is None else []
        keys = (*username, reference.password_key)
        return base.SecretUse(f"{self.field}.secretRef", reference.name, keys)

    def urls(self) -> list[tuple[str, str]]:
        """The index's URL, and the one for uploads."""
        urls = [(f"{self.field}.url", self.model.url)]
        if self.model.publish_url:
            urls.append((f"{self.field}.publishURL", self.model.publish_url))
        return urls

    def destination(self) -> tuple[object, ...]:
        """The URLs; a login goes where packages are uploaded to as well."""
        return ("basicAuth", *(url for _, url in self.urls()))

    def url(self) -> str | None:
        """The URL of the spec."""
        return self.model.url

    def publish_url(self, url: str) -> str | None:
        """The URL that the spec holds for it."""
        return self.model.publish_url

    def unusable(self, key: str, value: str) -> str | None:
        """A user name cannot hold a colon: HTTP Basic authentication ends it there."""
        is_user = self.model.username is None and key == self.model.secret_ref.username_key
        if is_user and ":" in value:
            return "a user name must not hold a colon (RFC 7617)"
        return not_text(value)

    def resolve(self, inputs: base.Inputs, digester: base.Digester) -> base.ResolvedSource:
        """The URL with the credential."""
        reference, username = self.model.secret_ref, self.model.username
        values = inputs.checked_secret().values
        if username is None:
            username = values[reference.username_key].get_secret_value()
        credential = Credential(username, values[reference.password_key])
        return base.ResolvedSource(url=self.model.url, credential=credential, note=_note(inputs))


def _note(inputs: base.Inputs) -> str:
    """White space and quotes may be part of a password, but seldom are."""
    use, values = inputs.use, inputs.checked_secret().values
    if use is None:
        return ""
    return "".join(
        f"; the value of key {key!r} of Secret {use.name!r} is sent unchanged, but {found}: "
        "correct it if the index refuses the login"
        for key in use.keys
        if (found := slip(values[key].get_secret_value())) is not None
    )

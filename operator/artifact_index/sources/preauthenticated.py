"""A complete URL, login included, in a Secret."""

from artifact_index.api.fields import is_page
from artifact_index.api.reasons import Reason
from artifact_index.api.sources.preauthenticated import PreauthenticatedSource
from artifact_index.formats.urls import is_insecure, safe_url, validate_index_url, without_userinfo
from artifact_index.sources import base
from artifact_index.sources.policy import ALLOW_HTTP, Problem, host_problem
from artifact_index.sources.values import not_text, slip


class Preauthenticated(base.Source[PreauthenticatedSource]):
    """The whole URL may be a secret: it is written as it stands, and shown without its path."""

    __slots__ = ()
    field = "spec.preauthenticated"
    named_by = "urlSecretRef"
    whole_url = True

    def secret(self) -> base.SecretUse | None:
        """The Secret that holds the URL."""
        reference = self.model.url_secret_ref
        return base.SecretUse(f"{self.field}.urlSecretRef", reference.name, (reference.key,))

    def destination(self) -> tuple[object, ...]:
        """Where the URL stands: what it says is part of the credential."""
        reference = self.model.url_secret_ref
        return "preauthenticated", reference.name, reference.key

    def shown_url(self, url: str | None) -> str | None:
        """Scheme and host."""
        return safe_url(url) if url is not None else None

    def public_path(self) -> bool:
        """As the spec says."""
        return self.model.public_path

    def unusable(self, key: str, value: str) -> str | None:
        """Neither white space nor quotes belong to a URL."""
        return not_text(value) or slip(value) or validate_index_url(value)

    def problem(self, inputs: base.Inputs) -> Problem | None:
        """The URL must have a host and a scheme that the administrator allows."""
        use, key = inputs.use, self.model.url_secret_ref.key
        if use is None or inputs.secret is None:
            return None
        url = inputs.secret.values[key].get_secret_value()
        where = f"the URL in key {key!r} of Secret {use.name!r} in {use.field}"
        if (forbidden := host_problem(where, url, inputs.policy)) is not None:
            return forbidden
        if self.format is None and is_page(url):
            return Problem(
                Reason.INVALID_SPEC,
                f"{where} ends in `.html` or `.htm`, as that of a page of links does; set "
                "spec.format to `flat`, or to `simple` if a simple index is there",
            )
        if is_insecure(url) and not inputs.policy.allow_http:
            return Problem(
                Reason.INSECURE_URL,
                f"{where} is not https; use an https URL, or ask the administrator for "
                f"{ALLOW_HTTP}",
            )
        return None

    def resolve(self, inputs: base.Inputs, digester: base.Digester) -> base.ResolvedSource:
        """The URL, verbatim and without its userinfo."""
        verbatim = inputs.checked_secret().values[self.model.url_secret_ref.key]
        url = without_userinfo(verbatim.get_secret_value())
        return base.ResolvedSource(url=url, verbatim_url=verbatim)

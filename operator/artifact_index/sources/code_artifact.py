"""A repository of AWS CodeArtifact."""

import re
from typing import ClassVar, Final

from pydantic import SecretStr

from artifact_index.api.constants import (
    EKS_AUDIENCE_ANNOTATION,
    EKS_ROLE_ANNOTATION,
    FIELD_MANAGER,
    NAME_TAG,
    NAMESPACE_TAG,
)
from artifact_index.api.interning import intern_equal
from artifact_index.api.reasons import Reason
from artifact_index.api.sources.code_artifact import ROLE_ARN_PATTERN, CodeArtifactSource
from artifact_index.credentials.aws.call import partition_of
from artifact_index.credentials.aws.login import is_key, is_temporary, session_name
from artifact_index.credentials.aws.requests import (
    AssumedRole,
    CodeArtifactEndpointRequest,
    CodeArtifactTokenRequest,
)
from artifact_index.sources.base import (
    Digester,
    Inputs,
    ResolvedSource,
    SecretUse,
    SourceSecret,
    SourceServiceAccount,
    missing_key,
)
from artifact_index.sources.cloud import CloudSource
from artifact_index.sources.policy import Problem
from artifact_index.sources.values import not_text, slip

AWS_AUDIENCE: Final = "sts.amazonaws.com"


class CodeArtifact(CloudSource[CodeArtifactSource]):
    """A token of the domain as the password of user `aws`; AWS tells the repository's URL."""

    __slots__ = ()
    field = "spec.codeArtifact"
    named_by = "repository, domain and region"
    to_read = "allow codeartifact:ReadFromRepository on the repository"
    provider = "codeartifact"
    cloud = "aws"
    optional_keys = ("AWS_SESSION_TOKEN",)
    account_annotations: ClassVar = {
        EKS_ROLE_ANNOTATION: "arn:aws:iam::000000000000:role/unknown",
        EKS_AUDIENCE_ANNOTATION: AWS_AUDIENCE,
    }
    metrics_target = "of CodeArtifact `REGION/DOMAIN-OWNER/DOMAIN`"

    @staticmethod
    def endpoints(region: str) -> dict[str, str]:
        """CodeArtifact and STS of the region."""
        if re.fullmatch("[a-z0-9-]+", region) is None:
            raise ValueError("aws needs a region, such as aws:eu-west-1")
        domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        return {name: f"https://{name}.{region}.{domain}/" for name in ("codeartifact", "sts")}

    def services(self) -> list[str]:
        """CodeArtifact, and STS if it issues a session on the way."""
        urls = self.endpoints(self.model.region)
        if self.model.assume_role is None and self.service_account() is None:
            del urls["sts"]
        return list(urls.values())

    def secret_keys(self) -> dict[str, str]:
        """An access key, perhaps a temporary one with a session token."""
        if self.model.auth is None or (reference := self.model.auth.secret_ref) is None:
            return {}
        keys = {
            "access_key_id": reference.access_key_id_key,
            "secret_access_key": reference.secret_access_key_key,
        }
        if reference.session_token_key is not None:
            keys["session_token"] = reference.session_token_key
        return keys

    def key_material(self, secret: SourceSecret) -> dict[str, SecretStr]:
        """The access key, and a session token under its usual key if the access key needs one."""
        material = super().key_material(secret)
        token = secret.values.get(self.optional_keys[0])
        if token and "session_token" not in material and is_temporary(material):
            material["session_token"] = token
        return material

    def unusable(self, key: str, value: str) -> str | None:
        """White space around a key of AWS is not part of it; the login removes it."""
        value = value.strip()
        why = not_text(value) or slip(value)
        if why is None and not is_key(value):
            why = "it is empty or has characters that no AWS key has"
        return f"{why}; store it as AWS shows it" if why else None

    def token_exchange(self, account: SourceServiceAccount) -> tuple[tuple[str, ...], str]:
        """AssumeRoleWithWebIdentity, for the role of the spec or of EKS's annotation."""
        reference = self.model.auth.service_account_ref if self.model.auth else None
        annotated = account.annotations.get(EKS_ROLE_ANNOTATION)
        role = (reference.role_arn if reference else None) or annotated
        if reference is None or not role:
            raise ValueError("a ServiceAccount that passed its checks without a role")
        audience = account.annotations.get(EKS_AUDIENCE_ANNOTATION) or AWS_AUDIENCE
        return reference.audiences or (audience,), role

    def token_domain(self) -> str | None:
        """The domain, which has one token for all of its repositories."""
        return f"{self.model.domain}/{self.model.domain_owner}/{self.model.region}"

    def urls(self) -> list[tuple[str, str]]:
        """The repository's endpoint, if AWS is not asked for it."""
        endpoint = self.model.endpoint
        return [(f"{self.field}.endpoint", endpoint)] if endpoint else []

    def cloud_names(self) -> list[tuple[str, str]]:
        """ARNs of the domain, and of the role that is assumed."""
        model = self.model
        domain = f"{model.region}:{model.domain_owner}:domain/{model.domain}"
        arn = f"arn:{partition_of(model.region)}:codeartifact:{domain}"
        names = [(f"{self.field}.domain", arn)]
        if model.assume_role:
            names.append((f"{self.field}.assumeRole.roleARN", model.assume_role.role_arn))
        return names

    def session_tags(self) -> tuple[str, ...]:
        """Tags of the session that assumes the role."""
        return tuple(self.model.assume_role.tags) if self.model.assume_role else ()

    def destination(self) -> tuple[object, ...]:
        """The repository, and the way to it."""
        model = self.model
        where = (model.region, model.domain, model.domain_owner, model.repository)
        return "codeArtifact", *where, model.endpoint_type, model.endpoint

    def url(self) -> str | None:
        """The URL below the spec's endpoint; without one only AWS can tell it."""
        return index_url(self.model.endpoint) if self.model.endpoint else None

    def unchecked(self) -> str:
        """AWS has answered for the repository, unless the spec says its endpoint."""
        return super().unchecked() if self.model.endpoint else ""

    def problem(self, inputs: Inputs) -> Problem | None:
        """A temporary key needs its session token; a ServiceAccount needs a role."""
        if inputs.use is not None and inputs.secret is not None:
            return self._incomplete_key(inputs.use, inputs.secret)
        use, account = inputs.account_use, inputs.account
        reference = self.model.auth.service_account_ref if self.model.auth else None
        if reference is None or reference.role_arn:
            return None
        if use is None or not isinstance(account, SourceServiceAccount):
            return None
        role = account.annotations.get(EKS_ROLE_ANNOTATION, "")
        if re.fullmatch(ROLE_ARN_PATTERN, role):
            return None
        wrong = "is not the ARN of an IAM role" if role else "is not set"
        return Problem(
            Reason.INVALID_SPEC,
            f"the annotation {EKS_ROLE_ANNOTATION} of ServiceAccount {use.name!r} {wrong}; "
            f"correct it, or set {use.field}.roleARN",
        )

    def _incomplete_key(self, use: SecretUse, secret: SourceSecret) -> Problem | None:
        material = self.key_material(secret)
        if "session_token" in material or not is_temporary(material):
            return None
        what = "holds a temporary access key (its ID begins with ASIA) without its session token"
        field = f"{use.field}.sessionTokenKey"
        remedy = f"add it as {self.optional_keys[0]}, or set {field} to the key that holds it"
        return missing_key(use, secret, what, remedy, must_act=True)

    def resolve(self, inputs: Inputs, digester: Digester) -> ResolvedSource:
        """A token of the domain; without an endpoint in the spec also the repository's URL."""
        model, url = self.model, self.url()
        identity, material = self.identity(inputs, digester)
        role = self._role(inputs)
        domain = (model.region, model.domain, model.domain_owner)
        token = intern_equal(
            CodeArtifactTokenRequest(*domain, model.token_duration.seconds, identity, role)
        )
        endpoint = None
        if url is None:
            repository = (*domain, model.repository, model.endpoint_type)
            endpoint = intern_equal(CodeArtifactEndpointRequest(*repository, identity, role))
        return ResolvedSource(
            url=url,
            username="aws",
            token=token,
            token_digest=digester.request(token),
            endpoint=endpoint,
            endpoint_digest=digester.request(endpoint) if endpoint else "",
            material=material,
        )

    def _role(self, inputs: Inputs) -> AssumedRole | None:
        """The role that is assumed last, if any.

        With the operator's own identity the session's name always begins with the namespace, and
        its tags hold namespace and name if the administrator wants them: a trust policy can then
        tell the tenants apart.
        """
        step = self.model.assume_role
        if step is None:
            return None
        name, tags = step.session_name or FIELD_MANAGER, dict(step.tags)
        if self.uses_operator_identity() or step.session_name is None:
            name = session_name(inputs.namespace, name)
        if self.uses_operator_identity() and inputs.policy.session_tags:
            tags |= {NAMESPACE_TAG: inputs.namespace, NAME_TAG: inputs.name}
        return AssumedRole(step.role_arn, name, step.external_id, tuple(sorted(tags.items())))


def index_url(endpoint: str) -> str:
    """The index URL below a CodeArtifact repository endpoint (AWS: append `simple/`)."""
    return f"{endpoint.rstrip('/')}/simple/"

"""What follows from the settings alone: margins, cloud clients, what a namespace may do."""

from collections.abc import Callable
from functools import cache

from artifact_index.credentials.aws.client import CodeArtifact
from artifact_index.credentials.google.client import GoogleTokens
from artifact_index.credentials.providers import Providers
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.settings import Settings
from artifact_index.sources.policy import Policy


def margins_of(settings: Settings) -> Margins:
    """The margins of the freshness formula, from the administrator's settings."""
    return Margins(
        outage=settings.outage_budget,
        write=settings.write_time,
        propagation=settings.propagation_time,
        pod_start=settings.pod_start_time,
        clock_skew=settings.clock_skew,
        min_refresh_interval=settings.min_refresh_interval,
    )


def providers_of(settings: Settings) -> Providers:
    """The clients of both clouds, with their time limits and endpoints."""
    connect, read = settings.cloud_connect_timeout, settings.cloud_read_timeout
    return Providers(
        CodeArtifact(connect_timeout=connect, read_timeout=read),
        GoogleTokens(
            token_url=settings.google_token_url,
            sts_url=settings.google_sts_url,
            iam_credentials_url=settings.google_iam_credentials_url,
            connect_timeout=connect,
            read_timeout=read,
        ),
    )


def policy_of(settings: Settings) -> Callable[[str], Policy]:
    """What the administrator allows, by namespace; the same object each time."""

    @cache
    def policy(namespace: str) -> Policy:
        return Policy(
            allow_http=settings.allow_http,
            operator_identity=settings.may_use_operator_identity(namespace),
            missing_secret_grace=settings.missing_secret_grace,
            operator_identity_limits=settings.operator_identity_limits(namespace),
            allowed_hosts=settings.allowed_hosts,
        )

    return policy

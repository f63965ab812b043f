"""Loopback stand-ins of the clouds, for the real SDKs to log in at."""

from support.clouds.aws import AwsStandIn
from support.clouds.cluster_issuer import ClusterIssuer
from support.clouds.entra import EntraStandIn
from support.clouds.google import GoogleStandIn
from support.clouds.http_stand_in import Fault
from support.clouds.sigv4 import AccessKey
from support.clouds.tokens import IssuedToken, TokenStore

__all__ = [
    "AccessKey",
    "AwsStandIn",
    "ClusterIssuer",
    "EntraStandIn",
    "Fault",
    "GoogleStandIn",
    "IssuedToken",
    "TokenStore",
]

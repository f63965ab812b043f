"""Names that other programs may rely on: group, kinds, labels, annotations."""

from typing import Final

GROUP: Final = "artifactindex.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

ARTIFACT_INDEX_KIND: Final = "ArtifactIndex"
ARTIFACT_INDEX_PLURAL: Final = "artifactindexes"
INDEX_OPTIONS_KIND: Final = "IndexOptions"
INDEX_OPTIONS_PLURAL: Final = "indexoptions"
CLUSTER_ARTIFACT_INDEX_KIND: Final = "ClusterArtifactIndex"
CLUSTER_ARTIFACT_INDEX_PLURAL: Final = "clusterartifactindexes"
CLUSTER_INDEX_OPTIONS_KIND: Final = "ClusterIndexOptions"
CLUSTER_INDEX_OPTIONS_PLURAL: Final = "clusterindexoptions"

FIELD_MANAGER: Final = "artifact-index-operator"

# The label that puts a Secret or ConfigMap into the operator's watch.
ROLE_LABEL: Final = f"{GROUP}/role"
ROLE_SOURCE: Final = "source"
ROLE_OUTPUT: Final = "output"

# Set by a user on a Secret that stood there before, to hand it over to one IndexOptions.
ADOPT_ANNOTATION: Final = f"{GROUP}/adopt"
# Set by a user, or by `artifact-index refresh`, on either kind: a time from which on its tokens are
# to have been minted.
REFRESH_REQUESTED_ANNOTATION: Final = f"{GROUP}/refresh-requested-at"
# EKS's own annotations of a ServiceAccount (amazon-eks-pod-identity-webhook, README).
EKS_ROLE_ANNOTATION: Final = "eks.amazonaws.com/role-arn"
EKS_AUDIENCE_ANNOTATION: Final = "eks.amazonaws.com/audience"
# Ownership marks of an output: they also hold where `deletionPolicy: Retain` leaves the
# ownerReference out.
OWNER_ANNOTATION: Final = f"{GROUP}/owner"
OWNER_UID_ANNOTATION: Final = f"{GROUP}/owner-uid"
EXPIRES_AT_ANNOTATION: Final = f"{GROUP}/expires-at"
REFRESH_AT_ANNOTATION: Final = f"{GROUP}/refresh-at"
CONTENT_DIGEST_ANNOTATION: Final = f"{GROUP}/content-digest"
CHECKPOINT_ANNOTATION: Final = f"{GROUP}/served"

# The installation that wrote an output last, by namespace and name of its leader's Lease. It is no
# part of the content: an output without it is not written for that.
WRITER_ANNOTATION: Final = f"{GROUP}/writer"

# Tags of AWS sessions that the operator's own identity begins; AWS ignores the case of a tag's key.
SESSION_TAG_PREFIX: Final = f"{GROUP}/"
NAMESPACE_TAG: Final = f"{SESSION_TAG_PREFIX}namespace"
NAME_TAG: Final = f"{SESSION_TAG_PREFIX}name"

PYPI_URL: Final = "https://pypi.org/simple"
"""PyPI as uv's own constant of that name spells it: without a trailing slash."""

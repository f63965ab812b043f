"""Exceptions that one ArtifactIndex causes: its own problem, so that others go on."""

import logging

from artifact_index.logs import log_exception
from artifact_index.reconcile.cache.objects import ObjectRef, kind_of
from artifact_index.sources.policy import Problem, internal_problem

logger = logging.getLogger(__name__)


def internal_error(index: ObjectRef, error: Exception) -> Problem:
    """Log an exception that an ArtifactIndex caused, and make it the problem of this index.

    The published entry stays as it does for any other problem: until its token is withdrawn.
    """
    return internal_problem(log_exception(logger, error, "%s %s/%s fails", kind_of(index), *index))

"""Reasons of conditions and events: part of the API, since alerts and other programs compare them.

`artifact_index.crdgen.reason_docs` says what each means and how to remedy it.
"""

from enum import Enum, StrEnum, auto


class Polarity(Enum):
    """What a reason does to Ready."""

    AVAILABLE = auto()
    """Ready=True."""
    RETRY = auto()
    """Ready=False beside Reconciling=True: the operator tries again."""
    ACT = auto()
    """Ready=False beside Stalled=True: the user must act."""
    NOTE = auto()
    """Nothing: the reason stands in a condition of its own."""
    KEEP = auto()
    """Nothing: Ready keeps its last value."""


class Trait(Enum):
    """What a reason implies besides."""

    MISSING_SOURCE = auto()
    """A Secret, a key or a ServiceAccount is missing; GitOps may be about to apply it."""
    WITHDRAWS_AT_ONCE = auto()
    """Consent or transport security is gone: no output may go on holding the login."""
    QUIET = auto()
    """Posts no event: nothing is wrong yet, or another object has the event of the cause."""
    UNWATCHED = auto()
    """No watch reports when its cause ends, so the operator looks again by itself."""
    OF_OTHERS = auto()
    """The cause is the problem of other objects, whose own conditions tell it."""


class Reason(StrEnum):
    """A reason by its name, with everything that it implies."""

    polarity: Polarity
    must_act: bool
    """Whether only the user can end it: the object is Stalled."""
    missing_source: bool
    withdraws_at_once: bool
    quiet: bool
    unwatched: bool
    of_others: bool
    """This and the four above: whether the reason has the trait of that name."""

    def __new__(cls, name: str, polarity: Polarity, *traits: Trait) -> "Reason":
        """Make a member of the values on its line."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.polarity = polarity
        member.must_act = polarity is Polarity.ACT
        member.missing_source = Trait.MISSING_SOURCE in traits
        member.withdraws_at_once = Trait.WITHDRAWS_AT_ONCE in traits
        member.quiet = Trait.QUIET in traits
        member.unwatched = Trait.UNWATCHED in traits
        member.of_others = Trait.OF_OTHERS in traits
        return member

    AVAILABLE = "Available", Polarity.AVAILABLE
    NOT_SELECTED = "NotSelected", Polarity.AVAILABLE, Trait.QUIET
    SUSPENDED = "Suspended", Polarity.KEEP, Trait.QUIET
    MINTING_CREDENTIAL = "MintingCredential", Polarity.RETRY, Trait.QUIET
    SECRET_NOT_FOUND = "SecretNotFound", Polarity.RETRY, Trait.MISSING_SOURCE
    SECRET_KEY_MISSING = "SecretKeyMissing", Polarity.RETRY, Trait.MISSING_SOURCE
    SERVICE_ACCOUNT_NOT_FOUND = "ServiceAccountNotFound", Polarity.RETRY, Trait.MISSING_SOURCE
    TOKEN_REQUEST_FAILED = "TokenRequestFailed", Polarity.RETRY
    TOKEN_REQUEST_DENIED = "TokenRequestDenied", Polarity.ACT
    CLOUD_UNAVAILABLE = "CloudUnavailable", Polarity.RETRY
    CLOUD_THROTTLED = "CloudThrottled", Polarity.RETRY
    CREDENTIAL_EXPIRED = "CredentialExpired", Polarity.RETRY
    INTERNAL_ERROR = "InternalError", Polarity.RETRY
    PERMISSION_MISSING = "PermissionMissing", Polarity.RETRY
    INVALID_SPEC = "InvalidSpec", Polarity.ACT
    INSECURE_URL = "InsecureURL", Polarity.ACT, Trait.WITHDRAWS_AT_ONCE
    HOST_NOT_ALLOWED = "HostNotAllowed", Polarity.ACT, Trait.WITHDRAWS_AT_ONCE
    OPERATOR_IDENTITY_NOT_ALLOWED = (
        "OperatorIdentityNotAllowed",
        Polarity.ACT,
        Trait.WITHDRAWS_AT_ONCE,
    )
    NO_OPERATOR_IDENTITY = "NoOperatorIdentity", Polarity.ACT
    SOURCE_IS_OUTPUT = "SourceIsOutput", Polarity.ACT, Trait.WITHDRAWS_AT_ONCE
    INVALID_SECRET_VALUE = "InvalidSecretValue", Polarity.ACT
    ACCESS_DENIED = "AccessDenied", Polarity.ACT
    CLOUD_RESOURCE_NOT_FOUND = "CloudResourceNotFound", Polarity.ACT
    INVALID_REQUEST = "InvalidRequest", Polarity.ACT
    INVALID_CREDENTIAL = "InvalidCredential", Polarity.ACT
    UNKNOWN_EXPIRY = "UnknownExpiry", Polarity.ACT
    TOKEN_LIFE_TOO_SHORT = "TokenLifeTooShort", Polarity.ACT
    NAME_CONFLICT = "NameConflict", Polarity.ACT, Trait.WITHDRAWS_AT_ONCE
    NO_INDEXES = "NoIndexes", Polarity.RETRY
    NO_NAMESPACES = "NoNamespaces", Polarity.AVAILABLE, Trait.QUIET
    NAMESPACES_FAILING = "NamespacesFailing", Polarity.RETRY, Trait.OF_OTHERS
    INDEXES_NOT_READY = "IndexesNotReady", Polarity.RETRY, Trait.OF_OTHERS
    WAITING_FOR_DELETION = "WaitingForDeletion", Polarity.RETRY, Trait.QUIET, Trait.UNWATCHED
    WRITE_FAILED = "WriteFailed", Polarity.RETRY
    NOT_WRITTEN = "NotWritten", Polarity.RETRY, Trait.QUIET, Trait.OF_OTHERS
    TARGET_NOT_OWNED = "TargetNotOwned", Polarity.ACT, Trait.UNWATCHED
    TARGET_UNUSABLE = "TargetUnusable", Polarity.ACT, Trait.UNWATCHED
    OUTPUT_CONTESTED = "OutputContested", Polarity.ACT
    TARGET_TOO_LARGE = "TargetTooLarge", Polarity.ACT
    NOT_CREDENTIAL_FREE = "NotCredentialFree", Polarity.ACT
    TOKEN_TOO_SHORT = "TokenTooShort", Polarity.NOTE
    PUBLIC_INDEX_FIRST = "PublicIndexFirst", Polarity.NOTE
    UNSAFE_INDEX_STRATEGY = "UnsafeIndexStrategy", Polarity.NOTE
    ERROR_CODES_IGNORED = "ErrorCodesIgnored", Polarity.NOTE
    INDEX_OMITTED = "IndexOmitted", Polarity.NOTE
    REQUESTS_FORWARDED = "RequestsForwarded", Polarity.NOTE
    FORMAT_WITHOUT_ORDER = "FormatWithoutOrder", Polarity.NOTE
    SHADOWS_SIBLINGS = "ShadowsSiblings", Polarity.ACT, Trait.WITHDRAWS_AT_ONCE
    NOT_EXPRESSIBLE = "NotExpressible", Polarity.ACT
    INDEX_ORDER_NOT_KEPT = "IndexOrderNotKept", Polarity.NOTE
    EXPLICIT_INDEX_LEFT_OUT = "ExplicitIndexLeftOut", Polarity.NOTE
    CUT_OFF_NOT_KEPT = "CutOffNotKept", Polarity.NOTE
    UPLOAD_LOGIN_LEFT_OUT = "UploadLoginLeftOut", Polarity.NOTE
    VARIABLES_NOT_WRITTEN = "VariablesNotWritten", Polarity.NOTE
    TOO_LONG_FOR_CURL = "TooLongForCurl", Polarity.NOTE
    FILES_OUTSIDE_INDEX = "FilesOutsideIndex", Polarity.NOTE
    ANOTHER_INSTALLATION = "AnotherInstallation", Polarity.NOTE
    ANONYMOUS_BESIDE_CREDENTIALED = "AnonymousBesideCredentialed", Polarity.NOTE

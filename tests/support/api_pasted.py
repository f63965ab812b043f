"""Objects with a login where none belongs: what the API server says must not repeat it."""

from support.api_bounds import LONGEST
from support.api_case import Case

CANARY = "canary-8d1f"
LOGINS = (f"https://user:{CANARY}@pypi.acme.example/simple/", f"user:{CANARY}@host?x={CANARY}#")
"""What people paste, into whatever field."""
PASTED = [
    Case(f"{path}: {value}", base, {path: value})
    for base, path in LONGEST
    if not path.endswith(("Duration", "Lifetime"))
    for value in (*LOGINS, LOGINS[0] * 60)
]
BESIDE = [
    Case(f"beside {change}", "basic", {"basicAuth.url": LOGINS[0], **change})
    for change in (
        {"publish": True},
        {"authenticate": "never"},
        {"anonymous": {"url": LOGINS[0]}},
        {"basicAuth.username": f"user:{CANARY}"},
        {"format": "flat", "excludeNewer": "7 days"},
        {"basicAuth.url": f"{LOGINS[0]}cpu.html"},
    )
]
"""A login in a URL, and an object that a rule of its own refuses."""

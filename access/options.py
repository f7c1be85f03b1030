"""What can be configured about signing in and the audit log."""

from records.configuration import Option, offer_options, whole_number

offer_options(
    Option(
        "SIGN_IN_FAILURES",
        "Signing in",
        "So many refused sign-ins of one user from one address close that way for a while.",
        "10",
        whole_number(1, 1_000),
    ),
    Option(
        "SIGN_IN_CLOSED_MINUTES",
        "Signing in",
        "For so many minutes a refused sign-in counts.",
        "15",
        whole_number(1, 10_080),
    ),
    Option(
        "AUDIT_DAYS",
        "Retention",
        "Days for which entries of the audit log are kept; 0 for ever.",
        "0",
        whole_number(0, 18_250),
    ),
)

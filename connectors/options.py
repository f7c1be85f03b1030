"""What can be configured about connections."""

from connectors.outgoing import check_entry
from records.configuration import Option, offer_options, several

_ENTRIES = "networks, addresses and host names (also `*.example.org`), each for all ports or with `:port`"

offer_options(
    Option(
        "OUTGOING_DENY",
        "Connections",
        f"Where connections may not go: {_ENTRIES}. `default` stands for the metadata addresses of clouds.",
        "default",
        several(check_entry),
    ),
    Option(
        "OUTGOING_ALLOW",
        "Connections",
        f"Where alone connections may go: {_ENTRIES}. Everywhere unless set.",
        "",
        several(check_entry),
    ),
)

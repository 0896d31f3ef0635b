"""Which Ray clusters a workflow may name. Whoever runs a cluster can run code in what connects to it, so a
workflow that somebody shared must not lead there: the person who runs ComfyUI writes addresses into a file.
"""

from __future__ import annotations

from ...cluster.connecting import LOCAL
from ...foreign_text import printable
from ..files.owner_settings import lines_of, shown_file

FILE = "allowed_clusters.txt"
OF_THIS_MACHINE = (LOCAL, "auto")


def address_message(address: str | None) -> str:
    """What to tell a person whose cluster is not allowed; empty where it is."""
    address = (address or LOCAL).strip()
    try:
        if address in OF_THIS_MACHINE or address in {line for _, line in lines_of(FILE)}:
            return ""
    except ValueError as error:
        return str(error)
    return (
        f"'{printable(address, 80)}' is not a cluster that may be used. A cluster runs code in what connects"
        f" to it, so the person who runs ComfyUI writes its address into {shown_file(FILE)}, one in each"
        " line; have it written there, or choose processes, local or auto."
    )

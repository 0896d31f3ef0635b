"""What travels between processes as bytes: pickles in which this pack has the name that it has there.

ComfyUI calls the pack after its path, which differs from host to host.
"""

from __future__ import annotations

import io
import pickle

HERE = __package__.rpartition(".")[0]
"""The name of the pack in this process."""


class Unpickler(pickle.Unpickler):
    """sender: the name of the pack where the bytes were written."""

    def __init__(self, data: bytes, sender: str) -> None:
        super().__init__(io.BytesIO(data))
        self.sender = sender

    def find_class(self, module: str, name: str) -> object:
        if module == self.sender or module.startswith(self.sender + "."):
            module = HERE + module[len(self.sender) :]
        return super().find_class(module, name)


def pack(value: object, pickler: type[pickle.Pickler] = pickle.Pickler, *arguments) -> bytes:
    """A value as bytes. pickler: made with a file, the protocol and the arguments."""
    file = io.BytesIO(HERE.encode() + b"\0")
    file.seek(0, io.SEEK_END)
    pickler(file, pickle.HIGHEST_PROTOCOL, *arguments).dump(value)
    return file.getvalue()


def unpack(data: bytes, unpickler: type[Unpickler] = Unpickler, *arguments) -> object:
    """The value of such bytes. They must come from this pack: a pickle may run anything."""
    sender, _, pickled = data.partition(b"\0")
    return unpickler(pickled, sender.decode(), *arguments).load()

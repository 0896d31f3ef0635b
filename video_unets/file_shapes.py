"""Keys and shapes of a model file, read so that a damaged file is named instead of misread.

A network's key names may differ from the file's; errors
name the file's, because that is what a person can look up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..foreign_text import printable


class FileShapes(dict):
    """Shape of every tensor by key; reading a key that the file lacks raises a ValueError that names it.

    published: the file's own name of a key, where it was renamed.
    """

    def __init__(
        self,
        shapes: Mapping[str, Iterable[int]],
        file_name: str = "this file",
        published: Mapping[str, str] | None = None,
    ):
        super().__init__((key, tuple(shape)) for key, shape in shapes.items())
        self.file_name = file_name
        self._published = {} if published is None else published

    def __missing__(self, key: str):
        raise ValueError(
            f"'{printable(self.file_name)}' lacks the key '{printable(self.published(key))}'; the file is "
            "incomplete, download it again."
        )

    def renamed(self, new_name: Callable[[str], str | None]) -> FileShapes:
        """The same tensors under other names; keys for which new_name gives None are left out."""
        names = {new: key for key in self if (new := new_name(key)) is not None}
        published = {new: self.published(key) for new, key in names.items()}
        return FileShapes({new: self[key] for new, key in names.items()}, self.file_name, published)

    def without_prefix(self, prefix: str) -> FileShapes:
        """The keys that begin with prefix, without it."""
        return self.renamed(lambda key: key[len(prefix) :] if key.startswith(prefix) else None)

    def published(self, key: str) -> str:
        """The file's own name of a key; of one that it lacks, what its neighbours' names suggest."""
        return published_name(key, self._published)


def published_name(key: str, published: Mapping[str, str]) -> str:
    """The file's name of a network's key; {network's key: file's key} holds those that the file has.

    For a key that is not among them the nearest neighbour tells:
    of 'a.0.weight' the name of 'a.0.bias' with another end.
    """
    if key in published or not published:
        return published.get(key, key)
    parts = key.split(".")
    for length in range(len(parts) - 1, -1, -1):
        start = "".join(part + "." for part in parts[:length])
        for near, name in published.items():
            end = near[len(start) :]
            if near.startswith(start) and name.endswith(end):
                return name[: len(name) - len(end)] + key[len(start) :]
    return key


def agreed_size(shapes: Mapping[str, tuple[int, ...]], places: Mapping[str, int]) -> int:
    """The size that all places name, {key: axis}; reading it from one key alone would trust a damaged one.

    Raises ValueError that names the keys when they disagree or one of them lacks the axis.
    """
    sizes = {key: shapes[key][axis] if axis < len(shapes[key]) else None for key, axis in places.items()}
    found = set(sizes.values())
    if len(found) != 1 or None in found:
        name = shapes.published if isinstance(shapes, FileShapes) else str
        listed = ", ".join(f"'{printable(name(key))}' {tuple(shapes[key])}" for key in places)
        raise ValueError(
            f"the shapes of {listed} contradict each other; the file is damaged or of an unknown kind."
        )
    return found.pop()

"""Models from folders in the layout of transformers: nothing is downloaded, no code of a folder is run."""

from __future__ import annotations

from pathlib import Path

from ..foreign_text import printable

WEIGHTS = ("*.safetensors", "*.bin")


def check_files(folder: Path, what: str, published: str, *names: str) -> None:
    """Raises ValueError naming file, folder and source where a file is not there, or no weights are.

    names: of files; any one of the names in a text with | between them will do."""
    missing = [name for name in names if not any((folder / one).is_file() for one in name.split("|"))]
    if not any(path.stat().st_size for pattern in WEIGHTS for path in folder.glob(pattern)):
        missing.append("model.safetensors")
    if missing:
        names = ", ".join(name.replace("|", " or ") for name in missing)
        raise ValueError(
            f"{what} in '{printable(str(folder))}' lacks {names}; a whole folder is needed as people get it:"
            f" {published}."
        )


def model_of_folder(kind: type, folder: Path, what: str, published: str, **options):
    """A transformers model, ready to be used. options: of from_pretrained.

    Raises ValueError for files that are damaged, of another model, or lack weights."""
    try:
        model, told = kind.from_pretrained(folder, local_files_only=True, output_loading_info=True, **options)
    except Exception as error:
        raise ValueError(refusal(folder, what, error, published)) from error
    lost = [*told["missing_keys"], *(told.get("mismatched_keys") or ())]
    if lost:
        raise ValueError(
            f"'{printable(folder.name)}' lacks {len(lost)} weights of {what} (as {printable(lost[0])}); get"
            f" {published}."
        )
    return model.eval().requires_grad_(False)


def part_of_folder(kind: type, folder: Path, what: str, published: str):
    """A tokenizer or image processor. Raises ValueError where its files are missing or damaged."""
    try:
        return kind.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise ValueError(refusal(folder, what, error, published)) from error


def refusal(folder: Path, what: str, error: object, published: str) -> str:
    """What to tell a person whose folder cannot be loaded."""
    told = printable(error, 200)
    return f"'{printable(folder.name)}' cannot be loaded as {what} ({told}); get {published}."

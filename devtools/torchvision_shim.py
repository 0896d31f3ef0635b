"""Makes torchvision and torchaudio importable in our environment, whichever torch they were built for."""

from pathlib import Path

from . import paths
from .ending import Stop
from .environment import site_packages, venv_python
from .processes import run_logged

SOURCE = Path(__file__).with_name("torchvision_schemas.py")


def mend_torchvision(progress, log):
    """Puts the shim where a compiled part does not fit this torch. Raises Stop where that does not help."""

    def imports(name):
        progress.detail(f"importing {name}")
        return run_logged([venv_python(), "-c", f"import {name}"], log, progress)[0] == 0

    if not imports("torchvision"):
        declare_schemas_at_start(site_packages())
    if not imports("torchaudio"):
        set_compiled_part_aside(site_packages() / "torchaudio" / "lib")
    for name in ("torchvision", "torchaudio", "torch"):
        if not imports(name):
            raise Stop(
                f"{name} cannot be imported in {paths.HOME / 'venv'}; the reason stands at the end of {log}."
            )


def declare_schemas_at_start(folder):
    """Writes what every start of an interpreter runs into its folder of packages."""
    source = SOURCE.read_text(encoding="utf8") + "\n\nsys.meta_path.insert(0, TorchvisionSchemas())\n"
    (folder / "zoetrope_torchvision.py").write_text(source, encoding="utf8")
    (folder / "zoetrope_torchvision.pth").write_text("import zoetrope_torchvision\n", encoding="utf8")


def set_compiled_part_aside(folder):
    """Renames the compiled libraries in a folder: torchaudio does without them where it finds none."""
    for library in [path for path in folder.glob("*") if path.suffix in (".so", ".pyd", ".dll", ".dylib")]:
        library.rename(library.with_name(library.name + ".unloadable"))

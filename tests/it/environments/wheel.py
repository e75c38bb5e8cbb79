"""Makes the package `flavour` in one version as a wheel: `wheel.py FOLDER VERSION`."""

import os
import sys
import zipfile
from pathlib import Path

folder, version = Path(sys.argv[1]), sys.argv[2]
folder.mkdir(parents=True, exist_ok=True)
info = f"flavour-{version}.dist-info"
files = {
    "flavour/__init__.py": f'version = "{version}"\n',
    f"{info}/METADATA": f"Metadata-Version: 2.1\nName: flavour\nVersion: {version}\n",
    f"{info}/WHEEL": (
        "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    ),
}
record = f"{info}/RECORD"
files[record] = "".join(f"{path},,\n" for path in [*files, record])
wheel = folder / f"flavour-{version}-py3-none-any.whl"
part = folder / f".{wheel.name}.{os.getpid()}"
with zipfile.ZipFile(part, "w") as archive:
    for name, content in files.items():
        archive.writestr(zipfile.ZipInfo(name), content)
part.rename(wheel)

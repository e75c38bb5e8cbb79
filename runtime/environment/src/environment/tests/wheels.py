"""Makes a folder of small wheels, so that tests install without a network; prints their hashes."""

import hashlib
import json
import sys
import zipfile
from pathlib import Path

folder = Path(sys.argv[1])
folder.mkdir()


def wheel(name, version, requires=""):
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}"
    files = {
        f"{name}/__init__.py": f'version = "{version}"\n',
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = f"{info}/RECORD"
    files[record] = "".join(f"{path},,\n" for path in [*files, record])
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name_inside, content in files.items():
            archive.writestr(zipfile.ZipInfo(name_inside), content)
    return hashlib.sha256(path.read_bytes()).hexdigest()


hashes = {
    "msgpack": wheel("msgpack", "1.2.4"),
    "extra": wheel("synapse_test_extra", "3.0", "Requires-Dist: msgpack>=1\n"),
    "greedy": wheel("synapse_test_greedy", "1.0", "Requires-Dist: msgpack>=2\n"),
}
wheel("msgpack", "2.0")
print(json.dumps(hashes))

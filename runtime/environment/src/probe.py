"""Says what this interpreter is, in JSON; run by interpreter.rs."""

import importlib.util
import json
import os
import platform
import sys
import sysconfig


def base_interpreter():
    """Of a virtual environment, the interpreter it was made from; never a link to one elsewhere."""
    known = getattr(sys, "_base_executable", None) or sys.executable
    name = "python%d.%d" % sys.version_info[:2]
    proper = os.path.join(sys.base_prefix, "bin", name)
    try:
        return proper if os.path.samefile(known, proper) else known
    except OSError:
        return known


def packages(folder):
    """Counts what is installed, without what every environment is born with."""
    try:
        names = os.listdir(folder)
    except OSError:
        return 0
    born_with = ("pip-", "setuptools-")
    installed = [name for name in names if name.endswith((".dist-info", ".egg-info"))]
    return len([name for name in installed if not name.startswith(born_with)])


site_packages = sysconfig.get_path("purelib")
answer = {
    "base": base_interpreter(),
    "version": list(sys.version_info[:3]),
    "implementation": platform.python_implementation(),
    "site_packages": site_packages,
    "packages": packages(site_packages),
    "msgpack": importlib.util.find_spec("msgpack") is not None,
}
print(json.dumps(answer))

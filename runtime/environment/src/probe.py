import importlib.util
import json
import os
import platform
import sys
import sysconfig

site_packages = sysconfig.get_path("purelib")
try:
    names = os.listdir(site_packages)
except OSError:
    names = []
own = ("pip-", "setuptools-")
packages = [n for n in names if n.endswith((".dist-info", ".egg-info")) and not n.startswith(own)]
print(
    json.dumps(
        {
            # Of a virtual environment, the interpreter that it was made from.
            "base": getattr(sys, "_base_executable", None) or sys.executable,
            "version": list(sys.version_info[:3]),
            "implementation": platform.python_implementation(),
            "site_packages": site_packages,
            "packages": len(packages),
            "msgpack": importlib.util.find_spec("msgpack") is not None,
        }
    )
)

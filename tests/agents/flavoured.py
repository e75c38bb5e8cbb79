"""What is installed where this runs: a package of the tests, in one version or another."""

import sys


def flavour(prompt: str) -> str:
    """The version of the package `flavour`."""
    try:
        import flavour
    except ImportError:
        return "none"
    return str(flavour.version)


def is_loaded(prompt: str) -> bool:
    """Whether somebody has imported the package before."""
    return "flavour" in sys.modules

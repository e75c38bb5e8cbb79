//! Every environment variable that this crate reads or keeps from a subprocess. It refuses to read
//! the process's own environment: variables come with the settings.

/// Where environments and the unpacked SDK are kept; default: the user's cache folder.
pub(crate) const CACHE_DIR: &str = "SYNAPSE_CACHE_DIR";
/// The base interpreter, by path or by a name on `PATH`; it wins over the settings.
pub(crate) const PYTHON: &str = "SYNAPSE_PYTHON";
/// The user's cache folder; default: `.cache` in the home folder.
pub(crate) const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";
/// The home folder.
pub(crate) const HOME: &str = "HOME";
/// Where programs are looked for.
pub(crate) const PATH: &str = "PATH";
/// pyenv's folder; default: `.pyenv` in the home folder.
pub(crate) const PYENV_ROOT: &str = "PYENV_ROOT";

/// By these a version manager's shim chooses the interpreter, besides its files.
pub(crate) const SHIM_CHOICES: [&str; 4] = [
    "PYENV_VERSION",
    "ASDF_PYTHON_VERSION",
    "MISE_PYTHON_VERSION",
    "RTX_PYTHON_VERSION",
];

/// Kept from Python, pip and uv: they would install elsewhere, or something else. All other
/// variables pass, so that mirrors, proxies, certificates and credentials work.
pub(crate) const NOT_PASSED: [&str; 22] = [
    "CONDA_PREFIX",
    "PIP_CONSTRAINT",
    "PIP_DRY_RUN",
    "PIP_NO_DEPS",
    "PIP_PREFIX",
    "PIP_PYTHON",
    "PIP_REPORT",
    "PIP_REQUIREMENT",
    "PIP_REQUIRE_HASHES",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "UV_CONSTRAINT",
    "UV_OVERRIDE",
    "UV_PYTHON",
    "UV_REQUIRE_HASHES",
    "UV_SYSTEM_PYTHON",
    "VIRTUAL_ENV",
    "__PYVENV_LAUNCHER__",
];

/// Set for them: nothing is asked, downloaded as an interpreter, or coloured.
pub(crate) const ALWAYS_PASSED: [(&str, &str); 6] = [
    ("NO_COLOR", "1"),
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ("PIP_NO_INPUT", "1"),
    ("PYTHONIOENCODING", "utf-8"),
    ("UV_NO_PROGRESS", "1"),
    ("UV_PYTHON_DOWNLOADS", "never"),
];

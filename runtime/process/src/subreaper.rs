//! Has what this process's descendants leave behind fall to it. It refuses to wait for any.

/// Makes this process the one that orphans among its descendants fall to, instead of the system's
/// first process. It changes the whole process, so it is for whoever owns it: a program, not a
/// library.
#[cfg(target_os = "linux")]
pub fn become_subreaper() -> std::io::Result<()> {
    // Any process number says yes.
    let yes = rustix::process::getpid();
    Ok(rustix::process::set_child_subreaper(Some(yes))?)
}

/// Elsewhere orphans always fall to the system's first process.
#[cfg(not(target_os = "linux"))]
pub fn become_subreaper() -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

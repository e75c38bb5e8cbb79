//! The memory of the node under test: the bench runs it in its own process, and keeps nothing that
//! grows with the calls, so what grows here is the node's.

/// This process's resident size in KiB; none where there is no /proc.
pub(super) fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn memory_that_was_written_is_resident() {
        let before = super::resident_kib().unwrap();
        let held = vec![1_u8; 64 << 20];
        let after = super::resident_kib().unwrap();
        assert!(after >= before + 32 * 1024, "{before} KiB, then {after}");
        drop(held);
    }
}

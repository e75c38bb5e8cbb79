//! What a case must not leave behind: tasks, descriptors, processes.

use std::error::Error;
use std::fs;

use crate::Outcome;
use crate::world::eventually;

/// What this process holds before a case.
pub(crate) struct Baseline {
    descriptors: usize,
}

impl Baseline {
    pub(crate) fn take() -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            descriptors: descriptors()?,
        })
    }

    /// The threads that fork and reap end by themselves when the last node is gone, a moment later.
    pub(crate) fn check(&self) -> Outcome {
        let mut last = String::new();
        for _ in 0..1000 {
            let (now, children) = (descriptors()?, children()?);
            if now <= self.descriptors && children.is_empty() {
                return Ok(());
            }
            last = format!(
                "{now} descriptors, {} before; children {children:?}",
                self.descriptors
            );
            std::thread::park_timeout(std::time::Duration::from_millis(5));
        }
        Err(format!("left behind: {last}").into())
    }
}

/// Every task of the case's runtime has ended.
pub(crate) async fn no_tasks() -> Outcome {
    let metrics = tokio::runtime::Handle::current().metrics();
    eventually("no task is left", || match metrics.num_alive_tasks() {
        0 => Ok(()),
        tasks => Err(format!("{tasks} tasks")),
    })
    .await
}

fn descriptors() -> std::io::Result<usize> {
    Ok(fs::read_dir("/proc/self/fd")?.count())
}

/// The numbers of this process's children, the dead but unreaped among them.
pub(crate) fn children() -> std::io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for task in fs::read_dir("/proc/self/task")? {
        // A thread may end while it is looked at.
        let text = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
        found.extend(
            text.split_whitespace()
                .filter_map(|pid| pid.parse::<u32>().ok()),
        );
    }
    Ok(found)
}

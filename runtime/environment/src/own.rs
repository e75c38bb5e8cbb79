//! The user's own environment, used as it is. It refuses to write to it.

use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::choice::Choice;
use crate::digest::Digest;
use crate::error::EnvironmentError;
use crate::interpreter::ask;
use crate::invocation::Invoker;
use crate::settings::{Install, Stage};

/// Looks at the environment in `venv`, unless nothing has changed since it was looked at.
pub(crate) async fn look_at(
    invoker: Invoker<'_>,
    cache: &Cache,
    venv: &Path,
    progress: &(dyn Fn(Stage) + Send + Sync),
) -> Result<Choice, EnvironmentError> {
    let folder = invoker.settings.folder.join(venv);
    let question = Digest::default()
        .field("own")
        .field(folder.as_os_str().as_encoded_bytes())
        .name();
    if invoker.settings.install != Install::Refresh
        && let Some(choice) = Choice::recall(cache, &question)
    {
        return Ok(choice);
    }
    progress(Stage::FindingPython);
    let choice = ask_it(invoker, &folder).await?;
    choice.remember(cache, &question);
    Ok(choice)
}

async fn ask_it(invoker: Invoker<'_>, folder: &Path) -> Result<Choice, EnvironmentError> {
    let refuse = |reason: String| EnvironmentError::Venv {
        venv: folder.to_owned(),
        reason,
    };
    if !folder.is_dir() {
        return Err(refuse("there is no such folder".to_owned()));
    }
    let python = python_of(folder);
    if !python.exists() {
        return Err(refuse("it has no bin/python".to_owned()));
    }
    let answer = ask(invoker, &python)
        .await
        .map_err(|reason| refuse(format!("its {} {reason}", python.display())))?;
    if !answer.msgpack {
        return Err(EnvironmentError::VenvLacksMsgpack {
            venv: folder.to_owned(),
            python,
        });
    }
    let settings = folder.join("pyvenv.cfg");
    // Installing or removing a package changes the folder that packages are in.
    let witnesses = [python.as_path(), &settings, &answer.site_packages];
    let version = answer.version().to_string();
    Ok(Choice::new(
        python.clone(),
        version,
        answer.packages,
        None,
        &witnesses,
    ))
}

/// The interpreter of an environment.
pub(crate) fn python_of(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}

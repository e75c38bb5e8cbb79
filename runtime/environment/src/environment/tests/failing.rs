//! What is said when there can be no environment.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::EnvironmentError;
use crate::error::Cause;

use super::site::Site;

/// The cause that was told; the lines must be few, and the text one line.
fn cause(error: &EnvironmentError) -> Cause {
    assert!(!error.to_string().contains('\n'), "{error}");
    assert!(
        (1..=8).contains(&error.details().len()),
        "{:?}",
        error.details()
    );
    match error {
        EnvironmentError::Install { cause, .. } => *cause,
        other => panic!("not an installation that failed: {other:?}"),
    }
}

#[tokio::test]
async fn frozen_never_installs_and_says_what_does() {
    let mut site = Site::new().await;
    let error = site.frozen().await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("use a kept Python environment: none is built for Python 3."),
        "{text}"
    );
    assert_eq!(
        error.help().unwrap(),
        "run `synapse sync` first, or leave out --frozen"
    );
    assert_eq!(site.cached("env-"), Vec::<String>::new());
}

#[tokio::test]
async fn frozen_uses_what_is_kept() {
    let mut site = Site::new().await;
    site.prepare().await.unwrap();
    site.frozen().await.unwrap();
}

fn unreachable(site: &mut Site) {
    // Nobody listens on port 1.
    for name in ["UV_DEFAULT_INDEX", "PIP_INDEX_URL"] {
        site.set(name, "http://me:secret@127.0.0.1:1/wheels/");
    }
    for name in ["UV_CONFIG_FILE", "PIP_NO_INDEX", "PIP_FIND_LINKS"] {
        site.unset(name);
    }
    site.set("UV_HTTP_RETRIES", "0");
    // pip is silent about a failed connection unless it tries again.
    site.set("PIP_RETRIES", "1");
}

#[tokio::test]
async fn an_index_out_of_reach_is_told_by_uv() {
    let mut site = Site::new().await;
    unreachable(&mut site);
    let error = site.prepare().await.unwrap_err();
    assert_eq!(cause(&error), Cause::Index, "{:?}", error.details());
    assert_eq!(
        error.to_string(),
        "install Python packages with uv: the package index cannot be reached"
    );
    assert!(error.help().unwrap().contains("UV_DEFAULT_INDEX"));
    assert!(
        !error.details().concat().contains("secret"),
        "{:?}",
        error.details()
    );
}

#[tokio::test]
async fn an_index_out_of_reach_is_told_by_pip() {
    let mut site = Site::without_uv().await;
    unreachable(&mut site);
    let error = site.prepare().await.unwrap_err();
    assert_eq!(cause(&error), Cause::Index, "{:?}", error.details());
    assert!(error.help().unwrap().contains("PIP_INDEX_URL"));
    assert!(
        !error.details().concat().contains("secret"),
        "{:?}",
        error.details()
    );
}

#[tokio::test]
async fn another_file_than_the_locked_one_is_refused_by_both_tools() {
    for mut site in [Site::new().await, Site::without_uv().await] {
        let wrong = format!("msgpack==1.2.4 \\\n    --hash=sha256:{}\n", "0".repeat(64));
        site.lock.text = wrong.into();
        let error = site.prepare().await.unwrap_err();
        assert_eq!(cause(&error), Cause::HashMismatch, "{:?}", error.details());
        site.frozen().await.unwrap_err();
    }
}

#[tokio::test]
async fn a_package_that_the_index_lacks_is_told_by_both_tools() {
    for mut site in [Site::new().await, Site::without_uv().await] {
        site.lock.text = site.lock.text.replace("1.2.4", "1.2.5").into();
        let error = site.prepare().await.unwrap_err();
        assert_eq!(cause(&error), Cause::Missing, "{:?}", error.details());
    }
}

#[tokio::test]
async fn requirements_that_contradict_the_pins_are_told_by_both_tools() {
    for mut site in [Site::new().await, Site::without_uv().await] {
        fs::write(
            site.settings.folder.join("requirements.txt"),
            "synapse-test-greedy\n",
        )
        .unwrap();
        site.settings.requirements = Some("requirements.txt".into());
        let error = site.prepare().await.unwrap_err();
        assert_eq!(cause(&error), Cause::Conflict, "{:?}", error.details());
        assert!(
            error.details().concat().contains("msgpack"),
            "{:?}",
            error.details()
        );
    }
}

#[tokio::test]
async fn a_missing_requirements_file_is_told_by_name() {
    let mut site = Site::new().await;
    site.settings.requirements = Some("no.txt".into());
    let error = site.prepare().await.unwrap_err();
    let file = site.settings.folder.join("no.txt");
    assert_eq!(
        error.to_string(),
        format!("read the requirements {}", file.display())
    );
}

#[tokio::test]
async fn a_python_without_venv_is_told_with_the_package_that_has_it() {
    let mut site = Site::without_uv().await;
    let real = site.path("bin/python3");
    let script = format!(
        "#!/bin/sh\nPATH=/usr/bin:/bin\ncase \"$*\" in *venv*) echo 'ensurepip is not available' >&2; exit 1;; esac\n\
         exec {} \"$@\" | sed 's|\"base\": \"[^\"]*\"|\"base\": \"'$0'\"|'\n",
        real.display()
    );
    site.program("python3", &script);
    let error = site.prepare().await.unwrap_err();
    assert!(
        matches!(error, EnvironmentError::NoVenvModule { .. }),
        "{error:?}"
    );
    assert!(error.help().unwrap().contains("python3-venv"));
    assert_eq!(error.details(), ["ensurepip is not available"]);
}

#[tokio::test]
async fn a_cache_that_cannot_be_made_is_told_with_its_path() {
    let mut site = Site::new().await;
    let file = site.path("file");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    site.set("SYNAPSE_CACHE_DIR", file.join("below"));
    let error = site.prepare().await.unwrap_err();
    let expected = format!("create the cache folder {}", file.join("below").display());
    assert_eq!(error.to_string(), expected);
}

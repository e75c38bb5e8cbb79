//! The user's own environment.

use std::fs;
use std::path::PathBuf;

use crate::environment::Kind;

use super::site::{Site, listing, python};

async fn with_venv(packages: &[&str]) -> Site {
    let mut site = Site::new().await;
    let venv = site.settings.folder.join(".venv");
    let args = ["-I", "-m", "venv", "--without-pip", venv.to_str().unwrap()];
    site.run(&python(), &args).await;
    let script = "import sysconfig; print(sysconfig.get_path('purelib'), end='')";
    let library = PathBuf::from(
        site.run(&venv.join("bin/python"), &["-I", "-c", script])
            .await,
    );
    for package in packages {
        fs::create_dir(library.join(package)).unwrap();
        fs::write(library.join(package).join("__init__.py"), "").unwrap();
        fs::create_dir(library.join(format!("{package}-1.0.dist-info"))).unwrap();
    }
    site.settings.venv = Some(".venv".into());
    site
}

#[tokio::test]
async fn used_as_it_is_and_never_written_to() {
    let mut site = with_venv(&["msgpack"]).await;
    let venv = site.settings.folder.join(".venv");
    let before = listing(&venv);
    let own = site.frozen().await.unwrap();
    assert_eq!((own.kind, own.tool, own.packages), (Kind::Own, None, 1));
    assert_eq!(own.python, venv.join("bin/python"));
    let again = site.prepare().await.unwrap();
    assert_eq!(again.kind, Kind::Own);
    assert_eq!(site.stages(), [], "an unchanged one is not looked at again");
    // The worker's start itself must not write either: the SDK is compiled beside it.
    let (program, args) = own.worker_command();
    assert!(fs::exists(own.sdk.join("synapse_agent/__pycache__")).unwrap());
    assert_eq!((program, args.len()), (venv.join("bin/python"), 2));
    assert_eq!(listing(&venv), before);
    assert_eq!(site.cached("env-"), Vec::<String>::new());
}

#[tokio::test]
async fn lacking_msgpack_is_told_with_the_command_that_installs_it() {
    let site = with_venv(&[]).await;
    let error = site.prepare().await.unwrap_err();
    let venv = site.settings.folder.join(".venv");
    let expected = format!(
        "use the Python environment {}: it lacks the package msgpack",
        venv.display()
    );
    assert_eq!(error.to_string(), expected);
    let help = error.help().unwrap();
    let command = format!("{}/bin/python -m pip install msgpack", venv.display());
    assert!(help.contains(&command), "{help}");
    // Once it is installed, the next start sees it.
    let library = fs::read_dir(venv.join("lib"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::create_dir(library.join("site-packages/msgpack")).unwrap();
    fs::write(library.join("site-packages/msgpack/__init__.py"), "").unwrap();
    assert_eq!(site.prepare().await.unwrap().kind, Kind::Own);
    // And when it is removed again, that is seen too.
    fs::remove_dir_all(library.join("site-packages/msgpack")).unwrap();
    site.prepare().await.unwrap_err();
}

#[tokio::test]
async fn a_folder_that_is_none_is_told_as_such() {
    let mut site = Site::new().await;
    site.settings.venv = Some(".venv".into());
    let error = site.prepare().await.unwrap_err().to_string();
    assert!(error.ends_with(".venv: there is no such folder"), "{error}");
    fs::create_dir(site.settings.folder.join(".venv")).unwrap();
    let error = site.prepare().await.unwrap_err().to_string();
    assert!(error.ends_with(".venv: it has no bin/python"), "{error}");
}

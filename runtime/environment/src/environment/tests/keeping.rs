//! How an environment is built, kept, shared and rebuilt.

use std::fs;

use crate::environment::Kind;
use crate::settings::{Install, Stage, Tool};

use super::site::{Site, python};

#[tokio::test]
async fn built_with_uv_once_and_kept_for_the_next_start() {
    let site = Site::new().await;
    let built = site.prepare().await.unwrap();
    assert_eq!(
        (built.kind, built.tool, built.packages),
        (Kind::Built, Some(Tool::Uv), 1)
    );
    let version = built.version.clone();
    assert_eq!(
        site.stages(),
        [
            Stage::FindingPython,
            Stage::Creating {
                version,
                tool: Tool::Uv
            },
            Stage::Installing {
                packages: 1,
                tool: Tool::Uv
            },
        ]
    );
    let script = "import msgpack, sys; print(msgpack.version, sys.prefix, msgpack.__cached__)";
    let said = site.run(&built.python, &["-I", "-c", script]).await;
    let prefix = built.python.parent().unwrap().parent().unwrap();
    assert!(
        said.starts_with(&format!("1.2.4 {} ", prefix.display())),
        "{said}"
    );
    let compiled = said.trim().rsplit_once(' ').unwrap().1;
    assert!(fs::exists(compiled).unwrap(), "not compiled: {compiled}");

    let kept = site.prepare().await.unwrap();
    assert_eq!(kept.kind, Kind::Kept);
    assert_eq!(
        (kept.python, kept.packages, kept.tool),
        (built.python, 1, Some(Tool::Uv))
    );
    assert_eq!(site.stages(), []);
}

#[tokio::test]
async fn built_with_pip_where_there_is_no_uv() {
    let site = Site::without_uv().await;
    let built = site.prepare().await.unwrap();
    assert_eq!(
        (built.kind, built.tool, built.packages),
        (Kind::Built, Some(Tool::Pip), 1)
    );
    assert_eq!(site.stages().last(), Some(&Stage::Compiling));
    let said = site
        .run(
            &built.python,
            &["-I", "-c", "import msgpack; print(msgpack.__cached__)"],
        )
        .await;
    assert!(fs::exists(said.trim()).unwrap(), "not compiled: {said}");
    assert_eq!(site.prepare().await.unwrap().kind, Kind::Kept);
}

#[tokio::test]
async fn a_broken_uv_is_replaced_by_pip_and_that_is_said() {
    let mut site = Site::new().await;
    site.program(
        "uv",
        "#!/bin/sh\necho 'error: unexpected argument' >&2\nexit 2\n",
    );
    let built = site.prepare().await.unwrap();
    assert_eq!(built.tool, Some(Tool::Pip));
    let reason = "error: unexpected argument".to_owned();
    assert!(
        site.stages().contains(&Stage::FallingBack { reason }),
        "{:?}",
        site.stages()
    );
}

#[tokio::test]
async fn the_real_interpreter_is_used_and_not_the_shim() {
    let mut site = Site::new().await;
    let real = python();
    site.program(
        "python3",
        &format!("#!/bin/sh\nexec {} \"$@\"\n", real.display()),
    );
    let built = site.prepare().await.unwrap();
    let target = fs::canonicalize(&built.python).unwrap();
    assert_eq!(target, real);
    // A shim that now chooses something else is noticed, though it is the same file.
    fs::write(site.settings.folder.join(".python-version"), "whatever").unwrap();
    let again = site.prepare().await.unwrap();
    assert_eq!(again.kind, Kind::Kept);
    assert_eq!(site.stages(), [Stage::FindingPython]);
}

#[tokio::test]
async fn sync_looks_for_the_interpreter_anew_but_builds_nothing_twice() {
    let mut site = Site::new().await;
    site.prepare().await.unwrap();
    site.settings.install = Install::Refresh;
    assert_eq!(site.prepare().await.unwrap().kind, Kind::Kept);
    assert_eq!(site.stages(), [Stage::FindingPython]);
}

#[tokio::test]
async fn sync_builds_a_damaged_one_again() {
    let mut site = Site::new().await;
    let built = site.prepare().await.unwrap();
    let script = "import msgpack, shutil, os; shutil.rmtree(os.path.dirname(msgpack.__file__))";
    site.run(&built.python, &["-I", "-c", script]).await;
    assert_eq!(site.prepare().await.unwrap().kind, Kind::Kept);
    site.settings.install = Install::Refresh;
    assert_eq!(site.prepare().await.unwrap().kind, Kind::Built);
    let said = site
        .run(&built.python, &["-I", "-c", "import msgpack"])
        .await;
    assert_eq!(said, "");
}

#[tokio::test]
async fn two_at_once_build_one() {
    let site = Site::new().await;
    let (one, two) = (site.environment(), site.environment());
    let (silent, told) = (|_| (), std::sync::Mutex::new(Vec::new()));
    let note = |stage| told.lock().unwrap().push(stage);
    let (one, two) = tokio::join!(one.prepare(&silent), two.prepare(&note));
    let (one, two) = (one.unwrap(), two.unwrap());
    let mut kinds = [one.kind, two.kind];
    kinds.sort_by_key(|kind| *kind == Kind::Kept);
    assert_eq!(kinds, [Kind::Built, Kind::Kept]);
    assert_eq!(one.python, two.python);
    assert_eq!(site.cached("env-").len(), 1);
}

#[tokio::test]
async fn a_build_that_was_cut_off_leaves_nothing_that_is_taken_for_an_environment() {
    let mut site = Site::new().await;
    let environment = site.environment();
    let (sender, mut stage) = tokio::sync::mpsc::unbounded_channel();
    let note = move |now: Stage| sender.send(now).unwrap();
    let installing =
        async { while !matches!(stage.recv().await, Some(Stage::Installing { .. })) {} };
    tokio::select! {
        done = environment.prepare(&note) => panic!("finished too early: {done:?}"),
        () = installing => {}
    }
    drop(environment);
    assert_eq!(
        site.cached("env-").len(),
        1,
        "the test needs an unfinished one"
    );
    site.settings.install = Install::Never;
    site.prepare().await.unwrap_err();
    site.settings.install = Install::WhenNeeded;
    assert_eq!(site.prepare().await.unwrap().kind, Kind::Built);
}

#[tokio::test]
async fn leftovers_of_other_crashed_builds_are_removed() {
    let site = Site::new().await;
    let cache = site.path("cache");
    // No process has this number: it is above the largest that Linux gives.
    for leftover in ["env-1234/lib", ".sdk-1.99999999/synapse_agent"] {
        fs::create_dir_all(cache.join(leftover)).unwrap();
    }
    fs::create_dir_all(cache.join("something-else")).unwrap();
    site.prepare().await.unwrap();
    assert_eq!(site.cached("env-").len(), 1);
    assert_eq!(site.cached(".sdk"), Vec::<String>::new());
    assert_eq!(site.cached("something-else").len(), 1);
}

#[tokio::test]
async fn a_changed_lock_makes_another_environment_and_keeps_the_first() {
    let mut site = Site::new().await;
    let first = site.prepare().await.unwrap();
    site.lock.hash = "of another lock".into();
    let second = site.prepare().await.unwrap();
    assert_eq!(second.kind, Kind::Built);
    assert_ne!(first.python, second.python);
    assert!(first.python.exists());
}

#[tokio::test]
async fn an_environment_that_lost_its_interpreter_is_built_again() {
    let site = Site::new().await;
    let built = site.prepare().await.unwrap();
    fs::remove_file(&built.python).unwrap();
    assert_eq!(site.prepare().await.unwrap().kind, Kind::Built);
}

#[tokio::test]
async fn requirements_are_installed_beside_the_pins() {
    let mut site = Site::new().await;
    fs::write(
        site.settings.folder.join("requirements.txt"),
        "synapse-test-extra>=3\n",
    )
    .unwrap();
    site.settings.requirements = Some("requirements.txt".into());
    let built = site.prepare().await.unwrap();
    assert_eq!(built.packages, 2);
    let file = site.settings.folder.join("requirements.txt");
    assert!(
        site.stages()
            .contains(&Stage::InstallingRequirements { file: file.clone() })
    );
    let script =
        "import synapse_test_extra as extra, msgpack; print(extra.version, msgpack.version)";
    assert_eq!(
        site.run(&built.python, &["-I", "-c", script]).await,
        "3.0 1.2.4\n"
    );
    // A newer msgpack is in the folder of wheels, but the pin holds.
    assert_eq!(site.prepare().await.unwrap().kind, Kind::Kept);
    fs::write(&file, "synapse-test-extra\n").unwrap();
    assert_eq!(site.prepare().await.unwrap().kind, Kind::Built);
}

#[tokio::test]
async fn requirements_are_installed_with_pip_too() {
    let mut site = Site::without_uv().await;
    fs::write(
        site.settings.folder.join("requirements.txt"),
        "synapse-test-extra>=3\n",
    )
    .unwrap();
    site.settings.requirements = Some("requirements.txt".into());
    assert_eq!(site.prepare().await.unwrap().packages, 2);
}

#[tokio::test]
async fn an_sdk_whose_compiling_was_cut_off_is_compiled_by_the_next_start() {
    let site = Site::new().await;
    let built = site.prepare().await.unwrap();
    let compiled = built.sdk.join("synapse_agent/__pycache__");
    let mark = built.sdk.join(format!(".compiled-{}", built.version));
    assert!(compiled.is_dir() && mark.is_file());
    // As a start leaves it that ends between unpacking and compiling.
    fs::remove_dir_all(&compiled).unwrap();
    site.prepare().await.unwrap();
    assert!(!compiled.exists(), "what is compiled is left alone");
    fs::remove_file(&mark).unwrap();
    site.prepare().await.unwrap();
    assert!(compiled.is_dir() && mark.is_file());
}

#[tokio::test]
async fn the_worker_starts_with_the_sdk_last_on_its_path() {
    let site = Site::new().await;
    let built = site.prepare().await.unwrap();
    let (program, args) = built.worker_command();
    assert_eq!(program, built.python);
    assert_eq!(args.first().unwrap(), "-P");
    assert!(built.sdk.join("synapse_agent/__init__.py").is_file());
    assert!(!built.sdk.join("synapse_agent/tests").exists());
    // The launcher runs the package as `-m` would, wherever it is started and whatever lies there.
    let fake = site.path("fake");
    fs::create_dir_all(fake.join("synapse_agent")).unwrap();
    let launcher = fake.join("synapse_worker.py");
    fs::copy(args.last().unwrap(), &launcher).unwrap();
    fs::write(fake.join("synapse_agent/__init__.py"), "").unwrap();
    let main = "import sys\nprint(__name__, sys.path[-1], sys.path[0], sys.modules['__main__'].__spec__.name)\n";
    fs::write(fake.join("synapse_agent/__main__.py"), main).unwrap();
    let said = site
        .run(&program, &["-P", launcher.to_str().unwrap()])
        .await;
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(words[..2], ["__main__", fake.to_str().unwrap()]);
    assert_ne!(words[2], fake.to_str().unwrap());
    assert_eq!(words[3], "synapse_agent.__main__");
}

//! How the base interpreter is found, and what is said of those that will not do.

use crate::EnvironmentError;

use super::site::{Site, python};

/// Answers the probe as a Python of this version.
fn pretender(version: &str, implementation: &str) -> String {
    format!(
        "#!/bin/sh\necho '{{\"base\": \"/x\", \"version\": [{version}], \"implementation\": \
         \"{implementation}\", \"site_packages\": \"/x\", \"packages\": 0, \"msgpack\": false}}'\n"
    )
}

#[tokio::test]
async fn unsuitable_ones_are_passed_over() {
    let mut site = Site::new().await;
    site.program("python3", &pretender("3, 10, 13", "CPython"));
    site.program("python", "#!/bin/sh\nexit 127\n");
    site.program(
        "python3.14",
        &format!("#!/bin/sh\nexec {} \"$@\"\n", python().display()),
    );
    let found = site.environment().interpreter().await.unwrap();
    assert_eq!(found.executable.canonicalize().unwrap(), python());
    assert!(
        found.version.to_string().starts_with("3."),
        "{}",
        found.version
    );
}

#[tokio::test]
async fn none_that_will_do_is_told_with_every_reason_and_what_to_do() {
    let mut site = Site::new().await;
    site.set("PATH", site.path("nothing"));
    site.program("python3", &pretender("3, 10, 13", "CPython"));
    site.program(
        "python",
        "#!/bin/sh\necho 'Unknown option: -I' >&2\nexit 2\n",
    );
    site.program("python3.14", &pretender("3, 14, 0", "PyPy"));
    site.program("python3.13", "#!/bin/sh\necho hello\n");
    let error = site.prepare().await.unwrap_err();
    assert_eq!(error.to_string(), "find Python 3.11 or newer");
    let bin = site.path("first").display().to_string();
    assert_eq!(
        error.details(),
        [
            format!(
                "python3 ({bin}/python3): is Python 3.10.13, and 3.11 is the oldest that works"
            ),
            format!("python ({bin}/python): exited with code 2: Unknown option: -I"),
            format!(
                "python3.14 ({bin}/python3.14): is PyPy, and the packages are locked for CPython"
            ),
            format!("python3.13 ({bin}/python3.13): is no Python: it answered \"hello\""),
        ]
    );
    assert!(error.help().unwrap().contains("SYNAPSE_PYTHON"));
}

#[tokio::test]
async fn an_empty_path_is_told() {
    let mut site = Site::new().await;
    site.set("PATH", "");
    let error = site.prepare().await.unwrap_err();
    let details = error.details();
    assert_eq!(details.len(), 1);
    assert!(
        details[0].ends_with("none of them is on PATH"),
        "{details:?}"
    );
}

#[tokio::test]
async fn the_preferred_one_is_used_or_refused_but_never_replaced() {
    let mut site = Site::new().await;
    site.settings.interpreter = Some(python());
    assert_eq!(
        site.environment()
            .interpreter()
            .await
            .unwrap()
            .executable
            .canonicalize()
            .unwrap(),
        python()
    );
    site.program("old", &pretender("3, 9, 1", "CPython"));
    for (asked, reason) in [
        ("old", "is Python 3.9.1, and 3.11 is the oldest that works"),
        ("/no/such/python", "there is no such program"),
        ("no-such-python", "there is no such program"),
    ] {
        site.settings.interpreter = Some(asked.into());
        let error = site.prepare().await.unwrap_err();
        assert!(
            matches!(error, EnvironmentError::Interpreter(_)),
            "{error:?}"
        );
        assert_eq!(
            error.to_string(),
            format!("use {asked} as the Python interpreter: {reason}")
        );
    }
}

#[tokio::test]
async fn the_variable_wins_over_the_configuration() {
    let mut site = Site::new().await;
    site.settings.interpreter = Some("/no/such/python".into());
    site.set("SYNAPSE_PYTHON", python());
    site.environment().interpreter().await.unwrap();
}

#[tokio::test]
async fn of_a_virtual_environment_the_base_is_taken() {
    let mut site = Site::new().await;
    let venv = site.path("venv");
    let args = ["-I", "-m", "venv", "--without-pip", venv.to_str().unwrap()];
    site.run(&python(), &args).await;
    site.settings.interpreter = Some(venv.join("bin/python"));
    let found = site.environment().interpreter().await.unwrap();
    assert_eq!(found.executable.canonicalize().unwrap(), python());
    assert!(!found.executable.starts_with(&venv));
}

use serde_json::json;

use super::*;

fn secrets(values: &[&str]) -> Secrets {
    let secrets = Secrets::default();
    assert!(secrets.add(values.iter().map(|value| (*value).to_owned()).collect()));
    secrets
}

#[track_caller]
fn check(values: &[&str], text: &str, expected: &str) {
    assert_eq!(secrets(values).text(text.to_owned()), expected);
}

#[test]
fn a_secret_is_masked_wherever_it_stands() {
    check(
        &["sk-abc123"],
        "Bearer sk-abc123; key='sk-abc123'",
        "Bearer ***; key='***'",
    );
    check(&["sk-abc123"], "nothing of it", "nothing of it");
    check(&[], "sk-abc123", "sk-abc123");
}

#[test]
fn of_two_that_overlap_the_longer_is_masked() {
    check(
        &["secret", "secret-more"],
        "x secret-more secret",
        "x *** ***",
    );
}

#[test]
fn it_is_known_in_the_forms_that_texts_give_it() {
    let secret = ["p@ss \"w\\d\""];
    check(&secret, r#"json: "p@ss \"w\\d\"""#, r#"json: "***""#);
    check(&secret, r#"repr: 'p@ss "w\\d"'"#, "repr: '***'");
    check(&["it's \\ here"], r"'it\'s \\ here'", "'***'");
    check(
        &["geheim-äß"],
        r#"json: "geheim-\u00e4\u00df""#,
        r#"json: "***""#,
    );
    check(&secret, "url: ?k=p%40ss%20%22w%5Cd%22", "url: ?k=***");
    let token = ["abc/def ghi+jkl=="];
    check(&token, "path: abc/def%20ghi%2Bjkl%3D%3D", "path: ***");
    check(&token, "query: abc%2Fdef+ghi%2Bjkl%3D%3D", "query: ***");
    check(&token, "small: abc%2fdef%20ghi%2bjkl%3d%3d", "small: ***");
    let lines = ["line one\nline two"];
    check(&lines, "line one", "***");
    check(&lines, r"'line one\nline two'", "'***'");
    let key = "-----BEGIN KEY-----\nMIIBVgIBADANBgkqhkiG\nq83vEjRWeJCrze8SNFZ4\n";
    // A line at a time, as stderr is read; and with its line feeds escaped, as in a repr.
    check(&[key], "MIIBVgIBADANBgkqhkiG", "***");
    check(
        &[key],
        r"'MIIBVgIBADANBgkqhkiG\nq83vEjRWeJCrze8SNFZ4\n'",
        r"'***\n***\n'",
    );
    let document = r#"{"private": "MIIBVgIBADANBgkqhkiG\nq83vEjRWeJCrze8SNFZ4"}"#;
    check(&[document], "q83vEjRWeJCrze8SNFZ4", "***");
}

#[test]
fn what_a_cut_has_left_of_it_is_taken_away_too() {
    check(&["sk-abcdef"], "the key sk-abc…", "the key …");
    check(&["sk-abcdef"], "…bcdef is the key", "… is the key");
    check(&["sk-abcdef"], "a task…", "a task…");
    check(&["sk-abcdef"], "…", "…");
}

#[test]
fn a_short_value_is_no_secret() {
    check(&["1", "true", "debug"], "1 true debug", "1 true debug");
}

#[test]
fn passwords_of_urls_are_masked_without_being_known() {
    check(&[], "via http://me:pw@proxy:1", "via http://me:***@proxy:1");
}

#[test]
fn every_text_of_a_value_is_masked() {
    let value = json!({"secret": ["a secret-1", 1], "n": {"m": "secret-1"}});
    assert_eq!(
        secrets(&["secret-1"]).value(value),
        json!({"secret": ["a ***", 1], "n": {"m": "***"}})
    );
}

#[test]
fn secrets_of_earlier_lives_stay_known_and_all_are_bounded() {
    let secrets = secrets(&["first-one"]);
    assert!(secrets.add(vec!["second-one".to_owned(), "first-one".to_owned()]));
    assert_eq!(secrets.text("first-one second-one".to_owned()), "*** ***");
    assert!(!secrets.add(vec!["x".repeat(SECRETS_BYTES_MAX)]));
    assert_eq!(secrets.text("first-one".to_owned()), "***");
    assert!(!format!("{secrets:?}").contains("one"));
}

//! What is a secret, as far as the name of a variable or the form of a text tells. It knows no
//! value of its own, and hides nothing by itself.

use std::borrow::Cow;

/// What stands in place of a secret.
pub const MASK: &str = "***";

/// How words end that name a secret: `OPENAI_API_KEY`, `apikey`, `DB_PASSWORD`.
const ENDINGS: [&str; 9] = [
    "KEY",
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "CREDENTIALS",
    "COOKIE",
];
/// Whole words that name one.
const WORDS: [&str; 7] = ["PASS", "PWD", "AUTH", "AUTHORIZATION", "DSN", "PAT", "JWT"];
/// Last words of names that say where a secret is, and not what it is.
const PLACES: [&str; 8] = [
    "FILE", "PATH", "DIR", "URL", "URI", "ENDPOINT", "HOST", "PORT",
];
/// Names that look otherwise than they are: a file's path, the current folder.
const NO_SECRETS: [&str; 2] = ["GOOGLE_APPLICATION_CREDENTIALS", "PWD"];

/// Whether a variable or key of this name holds a secret.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let words = || name.split(|letter: char| !letter.is_ascii_alphanumeric());
    let names_one =
        |word: &str| WORDS.contains(&word) || ENDINGS.iter().any(|ending| word.ends_with(ending));
    !NO_SECRETS.contains(&name.as_str())
        && !words()
            .next_back()
            .is_some_and(|last| PLACES.contains(&last))
        && words().any(names_one)
}

/// The password in a URL such as `http://user:password@proxy:3128`, where it has one.
#[must_use]
pub fn password_of_url(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let (user, _) = rest.get(..authority_length(rest))?.rsplit_once('@')?;
    let password = user.split_once(':').map_or(user, |(_, password)| password);
    (!password.is_empty()).then_some(password)
}

/// The text without the passwords of the URLs in it; of one that has a name only, which may be a
/// token, without that.
#[must_use]
pub fn without_passwords(text: &str) -> Cow<'_, str> {
    let mut masked: Option<String> = None;
    let mut done = 0;
    while let Some(at) = text.get(done..).and_then(|rest| rest.find("://")) {
        let begin = done + at + "://".len();
        let rest = text.get(begin..).unwrap_or_default();
        let authority = rest.get(..authority_length(rest)).unwrap_or_default();
        let out = masked.get_or_insert_default();
        out.push_str(text.get(done..begin).unwrap_or_default());
        match authority.rsplit_once('@') {
            Some((user, host)) => {
                if let Some((name, _)) = user.split_once(':') {
                    out.push_str(name);
                    out.push(':');
                }
                out.push_str(MASK);
                out.push('@');
                out.push_str(host);
            }
            None => out.push_str(authority),
        }
        done = begin + authority.len();
    }
    match masked {
        None => Cow::Borrowed(text),
        Some(mut out) => {
            out.push_str(text.get(done..).unwrap_or_default());
            Cow::Owned(out)
        }
    }
}

/// How far the part of a URL goes that names user and host.
fn authority_length(rest: &str) -> usize {
    let ends = |letter: char| {
        letter.is_whitespace() || letter.is_control() || "/?#\"'<>`{}\\".contains(letter)
    };
    rest.find(ends).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_is_secret() {
        for secret in [
            "OPENAI_API_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "HF_TOKEN",
            "DB_PASSWORD",
            "db_pass",
            "apikey",
            "SENTRY_DSN",
            "X-Auth",
            "github.pat",
        ] {
            assert!(is_secret_name(secret), "{secret}");
        }
        for open in [
            "PATH",
            "PWD",
            "HOME",
            "MODE",
            "max_tokens",
            "KEYBOARD",
            "AUTHOR",
            "TOKEN_URL",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "",
        ] {
            assert!(!is_secret_name(open), "{open}");
        }
    }

    #[test]
    fn a_password_is_found_in_a_url() {
        for (url, password) in [
            ("http://user:pa:ss@proxy:3128/x@y", Some("pa:ss")),
            ("https://token@host", Some("token")),
            ("postgres://u:p@/db?x=1", Some("p")),
            ("http://host/a:b@c", None),
            ("user:pass@host", None),
            ("http://user:@host", None),
        ] {
            assert_eq!(password_of_url(url), password, "{url}");
        }
    }

    #[test]
    fn urls_lose_their_passwords_and_nothing_else() {
        for (text, masked) in [
            (
                "cannot reach http://user:secret@proxy:3128, nor 'https://tok@h/p?x=a@b'",
                "cannot reach http://user:***@proxy:3128, nor 'https://***@h/p?x=a@b'",
            ),
            ("at http://host/path: no", "at http://host/path: no"),
            ("://", "://"),
            ("ä://ö:ü@ß", "ä://ö:***@ß"),
        ] {
            assert_eq!(without_passwords(text), masked);
        }
        assert!(matches!(without_passwords("no url"), Cow::Borrowed(_)));
    }
}

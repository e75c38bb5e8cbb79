//! Tells from a tool's output what kind of failure it was, and what few lines say why. It refuses to
//! run anything.

use crate::error::Cause;

/// Lines shown of a tool's output; the reason stands in the last ones.
const LINES_MAX: usize = 8;
/// Characters shown of one line.
const LINE_CHARS_MAX: usize = 300;

/// What tools say, by kind; the first kind that matches counts. A full disk also looks like a failed
/// download, and a refused connection makes a resolver say that nothing can be found.
const SIGNS: [(Cause, &[&str]); 7] = [
    (
        Cause::DiskFull,
        &[
            "no space left on device",
            "os error 28",
            "errno 28",
            "disk quota exceeded",
        ],
    ),
    (
        Cause::HashMismatch,
        &[
            "hash mismatch",
            "do not match the hashes",
            "hashes are required",
            "missing hashes",
        ],
    ),
    (
        Cause::Unauthorized,
        &[
            "401 unauthorized",
            "403 forbidden",
            "401 client error",
            "403 client error",
        ],
    ),
    (
        Cause::Index,
        &[
            "error sending request",
            "failed to fetch",
            "could not connect",
            "connection refused",
            "connection reset",
            "connect error",
            "connectionerror",
            "failed to establish a new connection",
            "temporary failure in name resolution",
            "name or service not known",
            "dns error",
            "network is unreachable",
            "network connectivity is disabled",
            "network was disabled",
            "max retries exceeded",
            "connecttimeout",
            "read timed out",
            "operation timed out",
            "proxyerror",
            "tunnel error",
            "certificate verify failed",
            "invalid peer certificate",
        ],
    ),
    (
        Cause::Permission,
        &[
            "permission denied",
            "os error 13",
            "errno 13",
            "read-only file system",
            "os error 30",
        ],
    ),
    (
        Cause::Missing,
        &[
            "no matching distribution found",
            "not found in the package registry",
            "not found in the provided package locations",
            "there is no version of",
            "there are no versions of",
            "has no wheels with a matching",
        ],
    ),
    (
        Cause::Conflict,
        &[
            "no solution found",
            "resolutionimpossible",
            "conflicting dependencies",
            "conflicts with",
        ],
    ),
];

/// The kind of failure.
pub(crate) fn cause(output: &str) -> Cause {
    let output = output.to_lowercase();
    let matching = SIGNS
        .iter()
        .find(|(_, signs)| signs.iter().any(|sign| output.contains(sign)));
    matching.map_or(Cause::Other, |(cause, _)| *cause)
}

/// The last lines with anything in them, cut and without credentials.
pub(crate) fn last_lines(output: &str) -> Vec<String> {
    let lines: Vec<&str> = output
        .lines()
        .map(str::trim_end)
        .filter(|line| is_telling(line))
        .collect();
    let from = lines.len().saturating_sub(LINES_MAX);
    lines.into_iter().skip(from).map(shown).collect()
}

/// The one line that says most: the last that names an error, or else the last.
pub(crate) fn one_line(output: &str) -> String {
    let lines = last_lines(output);
    let error = lines
        .iter()
        .rev()
        .find(|line| line.to_lowercase().contains("error"));
    error
        .or(lines.last())
        .map_or_else(|| "no output".to_owned(), |line| line.trim().to_owned())
}

/// Drawn frames and pip's advice to update itself say nothing about a failure.
fn is_telling(line: &str) -> bool {
    let text = line.trim_matches(|c: char| c.is_whitespace() || "│╰─▶├┬×|^~".contains(c));
    !text.is_empty() && !text.starts_with("[notice]")
}

fn shown(line: &str) -> String {
    let line = without_credentials(line);
    match line.char_indices().nth(LINE_CHARS_MAX) {
        Some((at, _)) => format!("{} …", line.split_at(at).0),
        None => line,
    }
}

/// Replaces `user:password@` in addresses: tools print the address of a private index whole.
fn without_credentials(line: &str) -> String {
    let mut parts = line.split("://");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str("://");
        let end = part
            .find(|c: char| c == '/' || c.is_whitespace())
            .unwrap_or(part.len());
        let (authority, rest) = part.split_at(end);
        match authority.rsplit_once('@') {
            Some((_, host)) => text.extend(["***@", host]),
            None => text.push_str(authority),
        }
        text.push_str(rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(output: &str, expected: Cause) {
        assert_eq!(cause(output), expected, "{output}");
    }

    #[test]
    fn causes_are_told_apart_by_what_tools_say() {
        check(
            "error: Request failed after 3 retries\n  Caused by: Failed to fetch: `http://x/`",
            Cause::Index,
        );
        check(
            "NewConnectionError('Failed to establish a new connection: [Errno 111]')",
            Cause::Index,
        );
        check(
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE",
            Cause::HashMismatch,
        );
        check(
            "Caused by: Hash mismatch for `msgpack==1.2.4`",
            Cause::HashMismatch,
        );
        check(
            "error: failed to write: No space left on device (os error 28)",
            Cause::DiskFull,
        );
        check(
            "PermissionError: [Errno 13] Permission denied: '/x'",
            Cause::Permission,
        );
        check(
            "ERROR: No matching distribution found for msgpack==1.2.4",
            Cause::Missing,
        );
        check(
            "HTTP status client error (401 Unauthorized) for url (http://x/)",
            Cause::Unauthorized,
        );
        check(
            "  × No solution found when resolving dependencies:",
            Cause::Conflict,
        );
        check(
            "ERROR: ResolutionImpossible: for help visit",
            Cause::Conflict,
        );
        check("Segmentation fault", Cause::Other);
    }

    #[test]
    fn a_wall_of_output_becomes_its_last_lines() {
        let wall: String = (0..1000).map(|n| format!("line {n}\n\n")).collect();
        let lines = last_lines(&wall);
        assert_eq!(lines.len(), LINES_MAX);
        assert_eq!(lines.last().unwrap(), "line 999");
        assert_eq!(one_line("Error: bad\nadvice"), "Error: bad");
        assert_eq!(one_line(""), "no output");
    }

    #[test]
    fn credentials_in_addresses_are_not_shown() {
        let line = "fetch http://me:secret@mirror:8080/wheels/ or https://host/a@b";
        assert_eq!(
            last_lines(line),
            ["fetch http://***@mirror:8080/wheels/ or https://host/a@b"]
        );
    }
}

//! The dotenv form of `env_file`: `NAME=value` lines. Knows no shell: nothing is expanded.

/// Why a dotenv file was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(crate) struct DotenvError {
    /// Counted from 1.
    line: usize,
    what: &'static str,
}

/// The variables of a dotenv text, in order. `export` is allowed, quotes are taken off, `#` begins
/// a comment at the start of a line or after a blank.
pub(crate) fn parse(text: &str) -> Result<Vec<(String, String)>, DotenvError> {
    let mut variables = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let variable = variable(line).map_err(|what| DotenvError {
            line: number + 1,
            what,
        })?;
        variables.push(variable);
    }
    Ok(variables)
}

fn variable(line: &str) -> Result<(String, String), &'static str> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=').ok_or("expected NAME=value")?;
    let name = name.trim();
    let first_is_letter =
        name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
    if !first_is_letter
        || !name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    {
        return Err("the name must be letters, digits and underscores");
    }
    Ok((name.to_owned(), unquote(value.trim())?))
}

fn unquote(value: &str) -> Result<String, &'static str> {
    for quote in ['"', '\''] {
        let Some(rest) = value.strip_prefix(quote) else {
            continue;
        };
        let (inside, after) = rest.split_once(quote).ok_or("the quote is not closed")?;
        let after = after.trim_start();
        if !after.is_empty() && !after.starts_with('#') {
            return Err("text after the closing quote");
        }
        let escaped = quote == '"';
        return Ok(if escaped {
            inside.replace("\\n", "\n")
        } else {
            inside.to_owned()
        });
    }
    let end = value.find(" #").unwrap_or(value.len());
    Ok(value[..end].trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(parse(text), Ok(expected));
    }

    #[test]
    fn the_usual_forms_are_read() {
        check(
            "A=1\n\n# note\nexport B = two words # note\n",
            &[("A", "1"), ("B", "two words")],
        );
        check(
            "A=\"x # y\" # note\nB='a=b'\nC=",
            &[("A", "x # y"), ("B", "a=b"), ("C", "")],
        );
    }

    #[test]
    fn a_mistake_says_its_line() {
        let line_of = |text: &str| parse(text).expect_err("a mistake").line;
        assert_eq!(line_of("A=1\nB"), 2);
        assert_eq!(line_of("1A=1"), 1);
        assert_eq!(line_of("A='open"), 1);
        assert_eq!(line_of("A='x' y"), 1);
    }
}

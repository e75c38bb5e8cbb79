//! What an agent's table says of calls whose process dies: `idempotent`, `retry_on_crash`,
//! `poison_after`.

use synapse_core::spec::CrashSpec;

use crate::element::Whole;
use crate::key::Field;
use crate::problem::{Problem, Problems};
use crate::raw::RawAgent;

/// The checked form.
pub(crate) fn spec(raw: &RawAgent) -> CrashSpec {
    fn times<const MIN: u64, const MAX: u64>(field: &Field<Whole<MIN, MAX>>) -> Option<u32> {
        field.value().and_then(|it| u32::try_from(it.0).ok())
    }
    let default = CrashSpec::default();
    CrashSpec {
        idempotent: raw.idempotent.or(default.idempotent),
        retry_on_crash: times(&raw.retry_on_crash).unwrap_or(default.retry_on_crash),
        poison_after: times(&raw.poison_after).unwrap_or(default.poison_after),
    }
}

/// What the runtime executes twice must be fit for it, and only the author knows.
pub(crate) fn check(raw: &RawAgent, path: &str, problems: &mut Problems) {
    let Some(retries) = raw.retry_on_crash.given().filter(|it| it.value.0 > 0) else {
        return;
    };
    if raw.idempotent.or(false) {
        return;
    }
    let key = format!("{path}.retry_on_crash");
    let message = format!("`{key}` needs `idempotent = true`");
    let mut problem = Problem::error(key, message).at(
        retries.span.clone(),
        "this executes a call a second time, with all that its tools do",
    );
    if let Some(idempotent) = raw.idempotent.given() {
        problem = problem.at(idempotent.span.clone(), "");
    }
    problems.push(
        problem
            .help("where that does no harm, say so: idempotent = true")
            .help("where it may, leave retry_on_crash out: the caller is told what is known"),
    );
}

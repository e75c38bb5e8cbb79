//! What OTP accepts and yet surprises: warnings about a supervisor together with its children. None
//! is a mistake.

use synapse_core::name::Name;
use synapse_core::spec::{AutoShutdown, OnExhausted, Restart, Shutdown, Strategy};
use synapse_core::time::Millis;

use crate::backoff;
use crate::element::Duration;
use crate::key::{Field, Spanned};
use crate::problem::{Problem, Problems};
use crate::raw::RawSupervisor;
use crate::supervisor::{Child, PERIOD, ROOT, intensity};

/// Tells of all of them.
pub(crate) fn check(
    name: &Spanned<Name>,
    raw: &RawSupervisor,
    children: &[Child<'_>],
    problems: &mut Problems,
) {
    if name.value.as_str() != ROOT {
        vanishes(name, raw, problems);
        is_killed_while_stopping(name, raw, children, problems);
    }
    for (index, child) in children.iter().enumerate() {
        let before = children.get(..index).unwrap_or_default();
        let behind = children.get(index + 1..).unwrap_or_default();
        crash_ends_the_work(raw, child, problems);
        works_again(raw, before, child, behind, problems);
        never_ends(name, raw, child, problems);
    }
}

/// How long so many children of this shutdown rule may take to stop one by one; `None`: without
/// end.
pub(crate) fn stop_time(shutdown: Shutdown, count: u64) -> Option<Millis> {
    match shutdown {
        Shutdown::BrutalKill => Some(Millis(0)),
        Shutdown::Timeout(time) => Some(Millis(time.0.saturating_mul(count))),
        Shutdown::Infinity => None,
    }
}

/// A supervisor that gives up ends with `shutdown`, which is no crash to its supervisor: only a
/// permanent one is restarted.
fn vanishes(name: &Spanned<Name>, raw: &RawSupervisor, problems: &mut Problems) {
    let Some(restart) = raw.restart.given() else {
        return;
    };
    let label = match restart.value {
        Restart::Permanent => return,
        Restart::Transient => "giving up is no crash, so it is not restarted",
        Restart::Temporary => "never restarted, however it ends",
    };
    let message = format!(
        "when `{}` gives up, it ends for good and nobody is told",
        name.value
    );
    problems.push(
        Problem::warning(format!("supervisor.{}.restart", name.value), message)
            .at(restart.span.clone(), label)
            .help("restart = \"permanent\" passes the failure on to its supervisor"),
    );
}

/// A supervisor that is killed takes its children with it, whatever they were promised.
fn is_killed_while_stopping(
    name: &Spanned<Name>,
    raw: &RawSupervisor,
    children: &[Child<'_>],
    problems: &mut Problems,
) {
    let Some(shutdown) = raw.shutdown.given() else {
        return;
    };
    let Some(own) = stop_time(shutdown.value, 1) else {
        return;
    };
    let sum = |sum: Millis, child: &Child<'_>| Some(Millis(sum.0.checked_add(child.stop_time?.0)?));
    let needed = children.iter().try_fold(Millis(0), sum);
    if needed.is_some_and(|needed| needed <= own) {
        return;
    }
    let message = format!(
        "`{}` can be killed before its children had their time to stop",
        name.value
    );
    problems.push(
        Problem::warning(format!("supervisor.{}.shutdown", name.value), message)
            .at(
                shutdown.span.clone(),
                "less than the `shutdown` of its children, which stop one by one",
            )
            .help("shutdown = \"infinity\", the default of supervisors, waits for them"),
    );
}

/// A temporary child's crash is an end like any other, also to `auto_shutdown`.
fn crash_ends_the_work(raw: &RawSupervisor, child: &Child<'_>, problems: &mut Problems) {
    let significant = child.significant.given().filter(|given| given.value);
    let (Some(significant), Some(restart)) = (significant, child.restart.given()) else {
        return;
    };
    let heeded = raw.auto_shutdown.given();
    let heeded = heeded.filter(|given| given.value != AutoShutdown::Never);
    let (Restart::Temporary, Some(heeded)) = (restart.value, heeded) else {
        return;
    };
    let message = format!(
        "a crash of `{}` passes for the end of its work: it is significant and never restarted",
        child.name
    );
    problems.push(
        Problem::warning(format!("{}.significant", child.path), message)
            .at(significant.span.clone(), "")
            .at(restart.span.clone(), "a crash is not tried again")
            .at(
                heeded.span.clone(),
                "and the supervisor ends as if all were well",
            )
            .help("restart = \"transient\" restarts it after a crash, and heeds its clean end"),
    );
}

/// The restart of a group starts all of it, also who had finished.
fn works_again(
    raw: &RawSupervisor,
    before: &[Child<'_>],
    child: &Child<'_>,
    behind: &[Child<'_>],
    problems: &mut Problems,
) {
    let Some(strategy) = raw.strategy.given() else {
        return;
    };
    let (others, who) = match strategy.value {
        Strategy::OneForOne => return,
        Strategy::OneForAll => ([before, behind], "any sibling"),
        Strategy::RestForOne => ([before, &[]], "a sibling in front of it"),
    };
    let restarts = |child: &&Child<'_>| child.restart.value() != Some(&Restart::Temporary);
    let transient = |given: &&Spanned<Restart>| given.value == Restart::Transient;
    let restart = child.restart.given().filter(transient);
    let (Some(restart), true) = (
        restart,
        others.into_iter().flatten().any(|it| restarts(&it)),
    ) else {
        return;
    };
    let message = format!("`{}` starts again after it has finished", child.name);
    problems.push(
        Problem::warning(format!("{}.restart", child.path), message)
            .at(restart.span.clone(), format!("when {who} is restarted"))
            .at(strategy.span.clone(), "a group starts as a whole")
            .help("put it under a \"one_for_one\" supervisor if it is to work once"),
    );
}

/// A child that fails so slowly that the window has always moved on: it fails for ever.
fn never_ends(
    name: &Spanned<Name>,
    raw: &RawSupervisor,
    child: &Child<'_>,
    problems: &mut Problems,
) {
    let unknown = matches!(raw.period, Field::Invalid) || matches!(raw.intensity, Field::Invalid);
    let temporary = child.restart.value() == Some(&Restart::Temporary);
    if unknown || temporary {
        return;
    }
    let (allowed, period) = (intensity(raw), raw.period.or(Duration(PERIOD)).0);
    let delays = child.backoff.as_ref();
    let delays =
        delays.filter(|(it, _)| it.initial <= it.max && backoff::outruns(it, allowed, period));
    let starts = child.start_timeout.filter(|given| {
        let one = given.value.0;
        allowed > 0 && one.0.saturating_mul(u64::from(allowed)) >= period.0
    });
    let problem = match (delays, starts) {
        (Some((_, span)), _) => {
            let message = format!(
                "`{}` can fail forever: its delays outrun the window of `{}`",
                child.name, name.value
            );
            Problem::warning(format!("{}.backoff", child.path), message)
                .at(span.clone(), "these delays alone fill the period")
                .help("shorten `initial` or `max`, or lengthen the supervisor's `period`")
        }
        (None, Some(start)) => {
            let message = format!(
                "`{}` can hang in its start forever: its starts outrun the window of `{}`",
                child.name, name.value
            );
            Problem::warning(format!("{}.start_timeout", child.path), message)
                .at(
                    start.span.clone(),
                    "starts that fail only after this time fill the period",
                )
                .help("shorten it, or make `period` longer than `intensity` times this")
        }
        (None, None) => return,
    };
    let verdict = match raw.on_exhausted.or(OnExhausted::Escalate) {
        OnExhausted::Escalate => "so this supervisor never gives up".to_owned(),
        OnExhausted::Park => "so this supervisor never parks it".to_owned(),
    };
    let limit = raw.period.given().map_or(&name.span, |given| &given.span);
    problems.push(problem.at(limit.clone(), verdict));
}

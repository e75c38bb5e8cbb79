//! One `[supervisor.NAME]`: its flags, and what the ends of its children mean to it (OTP's rules of
//! `supervisor:check_childspecs/2`).

use synapse_core::name::Name;
use synapse_core::spec::{
    AutoShutdown, Backoff, ChildRef, OnExhausted, Restart, Shutdown, StartOrder, Strategy,
    SupervisorSpec,
};
use synapse_core::time::Millis;

use crate::backoff;
use crate::element::{Duration, Whole};
use crate::key::{Field, Spanned};
use crate::problem::{Problem, Problems};
use crate::raw::RawSupervisor;

/// OTP's default of one restart in five seconds.
const INTENSITY: u64 = 1;
const PERIOD: Millis = Millis::from_secs(5);

/// The name of the top supervisor.
pub(crate) const ROOT: &str = "root";

/// The checked form of a supervisor with its resolved children.
pub(crate) fn spec(
    name: &Spanned<Name>,
    raw: &RawSupervisor,
    children: Vec<ChildRef>,
    problems: &mut Problems,
) -> SupervisorSpec {
    check(name, raw, problems);
    SupervisorSpec {
        name: name.value.clone(),
        strategy: raw.strategy.or(Strategy::OneForOne),
        intensity: intensity(raw),
        period: raw.period.or(Duration(PERIOD)).0,
        on_exhausted: OnExhausted::Escalate,
        start_order: StartOrder::Sequential,
        auto_shutdown: raw.auto_shutdown.or(AutoShutdown::Never),
        restart: raw.restart.or(Restart::Permanent),
        shutdown: raw.shutdown.or(Shutdown::Infinity),
        significant: raw.significant.or(false),
        children,
    }
}

fn intensity(raw: &RawSupervisor) -> u32 {
    u32::try_from(raw.intensity.or(Whole(INTENSITY)).0).unwrap_or(u32::MAX)
}

fn check(name: &Spanned<Name>, raw: &RawSupervisor, problems: &mut Problems) {
    let path = format!("supervisor.{}", name.value);
    if raw.children.is_absent() {
        problems.push(
            Problem::error(
                &path,
                format!("supervisor `{}` has no `children`", name.value),
            )
            .at(name.span.clone(), "")
            .help("name its agents and supervisors in start order: children = [\"...\"]"),
        );
    }
    if let Some(children) = raw
        .children
        .given()
        .filter(|children| children.value.0.is_empty())
    {
        problems.push(
            Problem::warning(
                format!("{path}.children"),
                format!("supervisor `{}` has nothing to supervise", name.value),
            )
            .at(children.span.clone(), ""),
        );
    }
    if name.value.as_str() == ROOT {
        root_has_no_supervisor(raw, &path, problems);
    } else if let Some(restart) = raw
        .restart
        .given()
        .filter(|r| r.value == Restart::Transient)
    {
        vanishes(name, restart, &path, problems);
    }
}

/// A supervisor that gives up ends with `shutdown`, which is no crash to a transient child's
/// supervisor.
fn vanishes(name: &Spanned<Name>, restart: &Spanned<Restart>, path: &str, problems: &mut Problems) {
    let message = format!(
        "when `{}` gives up, it ends for good and nobody is told",
        name.value
    );
    problems.push(
        Problem::warning(format!("{path}.restart"), message)
            .at(
                restart.span.clone(),
                "giving up is no crash, so it is not restarted",
            )
            .help("restart = \"permanent\" passes the failure on to its supervisor"),
    );
}

fn root_has_no_supervisor(raw: &RawSupervisor, path: &str, problems: &mut Problems) {
    let keys = [
        ("restart", key_of(&raw.restart)),
        ("shutdown", key_of(&raw.shutdown)),
        ("significant", key_of(&raw.significant)),
    ];
    for (key, span) in keys {
        if let Some(span) = span {
            let message = format!("`{path}.{key}` has no effect: no supervisor is above `{ROOT}`");
            problems.push(Problem::warning(format!("{path}.{key}"), message).at(span, ""));
        }
    }
}

fn key_of<T>(field: &Field<T>) -> Option<crate::document::Span> {
    field.given().map(|given| given.key.clone())
}

/// What a supervisor must know of a child to judge the two together.
#[derive(Debug)]
pub(crate) struct Child<'a> {
    pub(crate) name: &'a Name,
    /// `agent.x` or `supervisor.x`.
    pub(crate) path: String,
    pub(crate) restart: &'a Field<Restart>,
    pub(crate) significant: &'a Field<bool>,
    /// An agent's, with its place.
    pub(crate) backoff: Option<(Backoff, crate::document::Span)>,
}

/// Rules between a supervisor and its children.
pub(crate) fn check_children(
    name: &Spanned<Name>,
    raw: &RawSupervisor,
    children: &[Child<'_>],
    problems: &mut Problems,
) {
    for child in children {
        significant(name, raw, child, problems);
        never_gives_up(name, raw, child, problems);
    }
    let Some(auto) = raw
        .auto_shutdown
        .given()
        .filter(|a| a.value != AutoShutdown::Never)
    else {
        return;
    };
    if !children
        .iter()
        .any(|child| matches!(child.significant, Field::Invalid) || child.significant.or(false))
    {
        let path = format!("supervisor.{}.auto_shutdown", name.value);
        let message = format!(
            "`{path}` has no effect: no child of `{}` is significant",
            name.value
        );
        problems.push(Problem::warning(path, message).at(auto.span.clone(), ""));
    }
}

/// A significant child must be able to end, and its supervisor must care.
fn significant(
    name: &Spanned<Name>,
    raw: &RawSupervisor,
    child: &Child<'_>,
    problems: &mut Problems,
) {
    let Some(given) = child.significant.given().filter(|given| given.value) else {
        return;
    };
    let problem = |message: String| {
        Problem::error(format!("{}.significant", child.path), message).at(given.span.clone(), "")
    };
    if has(child.restart, Restart::Permanent) {
        problems.push(never_ends(child, problem));
    }
    if has(&raw.auto_shutdown, AutoShutdown::Never) {
        let place = raw
            .auto_shutdown
            .given()
            .map_or(&name.span, |auto| &auto.span);
        let message = format!(
            "`{}` is significant to `{}`, which never shuts down by itself",
            child.name, name.value
        );
        problems.push(
            problem(message)
                .at(place.clone(), "`auto_shutdown` is \"never\"")
                .help("\"any_significant\" and \"all_significant\" heed significant children"),
        );
    }
}

fn never_ends(child: &Child<'_>, problem: impl Fn(String) -> Problem) -> Problem {
    let problem = problem(format!(
        "`{}` cannot be significant and permanent",
        child.name
    ));
    let problem = match child.restart.given() {
        Some(restart) => problem.at(restart.span.clone(), "always restarted, so it never ends"),
        None => problem.help("`restart` is \"permanent\" by default"),
    };
    problem.help("a significant child is \"transient\" or \"temporary\"")
}

/// Whether a field has this value, which is also the default; not so where it was written wrongly.
fn has<T: Copy + PartialEq>(field: &Field<T>, default: T) -> bool {
    field.is_absent() || field.value() == Some(&default)
}

fn never_gives_up(
    name: &Spanned<Name>,
    raw: &RawSupervisor,
    child: &Child<'_>,
    problems: &mut Problems,
) {
    let Some((backoff, span)) = &child.backoff else {
        return;
    };
    let period = raw.period.or(Duration(PERIOD)).0;
    if backoff.initial > backoff.max
        || matches!(raw.period, Field::Invalid)
        || matches!(raw.intensity, Field::Invalid)
        || !backoff::outruns(backoff, intensity(raw), period)
    {
        return;
    }
    let limit = raw.period.given().map_or(&name.span, |given| &given.span);
    let message = format!(
        "`{}` can fail forever: its delays outrun the window of `{}`",
        child.name, name.value
    );
    problems.push(
        Problem::warning(format!("{}.backoff", child.path), message)
            .at(span.clone(), "these delays alone fill the period")
            .at(limit.clone(), "so this supervisor never gives up")
            .help("shorten `initial` or `max`, or lengthen the supervisor's `period`"),
    );
}

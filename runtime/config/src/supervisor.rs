//! One `[supervisor.NAME]`: its flags, and what the ends of its children mean to it (OTP's rules of
//! `supervisor:check_childspecs/2`).

use synapse_core::name::Name;
use synapse_core::spec::{
    AutoShutdown, Backoff, ChildRef, OnExhausted, Restart, Shutdown, StartOrder, Strategy,
    SupervisorSpec,
};
use synapse_core::time::Millis;

use crate::document::Span;
use crate::element::{Duration, Whole};
use crate::key::{Field, Spanned};
use crate::problem::{Problem, Problems};
use crate::raw::RawSupervisor;
use crate::surprise;

/// OTP's default of one restart in five seconds.
const INTENSITY: u64 = 1;
pub(crate) const PERIOD: Millis = Millis::from_secs(5);

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
        on_exhausted: raw.on_exhausted.or(OnExhausted::Escalate),
        start_order: raw.start_order.or(StartOrder::Sequential),
        auto_shutdown: raw.auto_shutdown.or(AutoShutdown::Never),
        restart: raw.restart.or(Restart::Permanent),
        shutdown: raw.shutdown.or(Shutdown::Infinity),
        significant: raw.significant.or(false),
        children,
    }
}

pub(crate) fn intensity(raw: &RawSupervisor) -> u32 {
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
    }
    needs_one_for_one(raw, &path, problems);
}

/// What is added to OTP for children that do not depend on one another.
fn needs_one_for_one(raw: &RawSupervisor, path: &str, problems: &mut Problems) {
    let alone = has(&raw.strategy, Strategy::OneForOne);
    let Some(strategy) = raw.strategy.given().filter(|_| !alone) else {
        return;
    };
    let mut refuse = |key: &str, word: &str, span: &Span, help: &str| {
        let message = format!("`{path}.{key}` can be \"{word}\" only under \"one_for_one\"");
        problems.push(
            Problem::error(format!("{path}.{key}"), message)
                .at(span.clone(), "")
                .at(
                    strategy.span.clone(),
                    "these children depend on one another",
                )
                .help(help),
        );
    };
    let parks = |given: &&Spanned<OnExhausted>| given.value == OnExhausted::Park;
    if let Some(given) = raw.on_exhausted.given().filter(parks) {
        refuse(
            "on_exhausted",
            "park",
            &given.span,
            "to park the group as a whole, put this supervisor below one that parks",
        );
    }
    let at_once = |given: &&Spanned<StartOrder>| given.value == StartOrder::Concurrent;
    if let Some(given) = raw.start_order.given().filter(at_once) {
        refuse(
            "start_order",
            "concurrent",
            &given.span,
            "none can start before those in front of it are up: leave the key out",
        );
    }
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

fn key_of<T>(field: &Field<T>) -> Option<Span> {
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
    pub(crate) backoff: Option<(Backoff, Span)>,
    /// An agent's, where it was written.
    pub(crate) start_timeout: Option<&'a Spanned<Duration<1>>>,
    /// How long it may take to stop, all its processes together; `None`: without end.
    pub(crate) stop_time: Option<Millis>,
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
    }
    surprise::check(name, raw, children, problems);
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

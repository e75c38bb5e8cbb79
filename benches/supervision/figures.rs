//! What is measured, on either side, and the table of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Children of one supervisor.
pub(crate) const WIDTHS: [usize; 4] = [100, 1_000, 10_000, 100_000];

/// How often in a round: what is short can be had often, so that one of them is undisturbed.
pub(crate) const fn repeats(children: usize) -> usize {
    if children > 10_000 { 1 } else { 10 }
}

/// Children that die at once.
pub(crate) const STORMS: [usize; 2] = [300, 10_000];

/// One line of the table. Its text is also what the Erlang side prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Measure {
    /// Children in the specs: until all are up, per child.
    StartStatic(usize),
    /// `start_child`, one call behind the other, per child.
    StartDynamic(usize),
    /// In reverse order, each by its own shutdown, per child.
    StopInOrder(usize),
    /// One child of many dies: until its replacement is there.
    RestartMedian,
    RestartP99,
    /// All children die at once: until all are there again, per child.
    Storm(usize),
}

impl Measure {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let start_static = WIDTHS.map(Self::StartStatic);
        let start_dynamic = WIDTHS.map(Self::StartDynamic);
        let stop = WIDTHS.map(Self::StopInOrder);
        let restart = [Self::RestartMedian, Self::RestartP99];
        let widths = [start_static, start_dynamic, stop].into_iter().flatten();
        widths.chain(restart).chain(STORMS.map(Self::Storm))
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartStatic(children) => write!(formatter, "start_static_{children}"),
            Self::StartDynamic(children) => write!(formatter, "start_dynamic_{children}"),
            Self::StopInOrder(children) => write!(formatter, "stop_in_order_{children}"),
            Self::RestartMedian => formatter.write_str("restart_median"),
            Self::RestartP99 => formatter.write_str("restart_p99"),
            Self::Storm(children) => write!(formatter, "storm_{children}"),
        }
    }
}

/// Nanoseconds of every round.
#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<Measure, Vec<u128>>);

impl Figures {
    /// What `children` took together.
    pub(crate) fn add(&mut self, measure: Measure, taken: Duration, children: usize) {
        let each = taken.as_nanos() / children as u128;
        self.0.entry(measure).or_default().push(each);
    }

    pub(crate) fn append(&mut self, other: Self) {
        for (measure, mut each) in other.0 {
            self.0.entry(measure).or_default().append(&mut each);
        }
    }

    /// The best, in microseconds: what else runs on the machine only ever adds.
    fn best(&self, measure: Measure) -> Option<f64> {
        let best = self.0.get(&measure)?.iter().min()?;
        Some(*best as f64 / 1_000.0)
    }
}

/// Prints ours beside theirs, and what 1,000 times as many children cost each.
pub(crate) fn print(ours: &Figures, theirs: Option<&Figures>) {
    println!(
        "{:<24}{:>10}{:>10}{:>12}",
        "µs", "Synapse", "OTP", "Synapse/OTP"
    );
    for measure in Measure::all() {
        let ours = ours.best(measure).expect("measured");
        let theirs = theirs.and_then(|theirs| theirs.best(measure));
        let (theirs, ratio) = match theirs {
            Some(theirs) => (format!("{theirs:.2}"), format!("{:.2}", ours / theirs)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        println!(
            "{:<24}{ours:>10.2}{theirs:>10}{ratio:>12}",
            measure.to_string()
        );
    }
    println!("\nper child, {} of them against {}", WIDTHS[3], WIDTHS[0]);
    type OfWidth = fn(usize) -> Measure;
    let kinds: [(&str, OfWidth); 3] = [
        ("start_static", Measure::StartStatic),
        ("start_dynamic", Measure::StartDynamic),
        ("stop_in_order", Measure::StopInOrder),
    ];
    for (name, of_width) in kinds {
        let growth = |figures: &Figures| {
            let many = figures.best(of_width(WIDTHS[3]))?;
            Some(format!("{:.2}", many / figures.best(of_width(WIDTHS[0]))?))
        };
        let ours = growth(ours).expect("measured");
        let theirs = theirs.and_then(growth).unwrap_or_else(|| "-".to_owned());
        println!("{name:<24}{ours:>10}{theirs:>10}");
    }
}

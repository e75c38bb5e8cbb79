//! What was measured, as a table for people and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::arguments::BenchArguments;
use crate::bench::times::Times;

/// The calls of one round.
#[derive(Debug)]
pub(super) struct Calls {
    p50_us: f64,
    p99_us: f64,
    per_s: f64,
}

impl Calls {
    pub(super) fn new(times: &Times, calls: usize, whole: Duration) -> Self {
        Self {
            p50_us: times.percentile_us(50),
            p99_us: times.percentile_us(99),
            per_s: rate(calls, whole),
        }
    }
}

/// The stream of one round.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) chunks: usize,
    pub(super) first: Duration,
    pub(super) whole: Duration,
}

/// Rounds of one kind.
#[derive(Debug, Default)]
pub(super) struct Rounds<T>(Vec<T>);

impl<T> Rounds<T> {
    pub(super) fn add(&mut self, round: T) {
        self.0.push(round);
    }

    /// The median of a figure over the rounds.
    fn median(&self, figure: impl Fn(&T) -> f64) -> f64 {
        let mut figures: Vec<f64> = self.0.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// Everything that a bench prints.
#[derive(Debug)]
pub(super) struct Figures {
    agent: String,
    in_flight: usize,
    bytes: usize,
    pin: Option<usize>,
    /// What the figures stand beside: the `floor`, or the same agent in a `quiet` node.
    reference_word: &'static str,
    pub(super) reference: Rounds<Calls>,
    pub(super) calls: Rounds<Calls>,
    pub(super) reference_streams: Rounds<Streams>,
    pub(super) streams: Rounds<Streams>,
    /// The node's resident size after the first round, which is not counted, and after the last.
    pub(super) resident_kib: Option<(u64, u64)>,
}

impl Figures {
    pub(super) fn new(arguments: &BenchArguments) -> Self {
        Self {
            agent: arguments.agent.clone(),
            in_flight: arguments.in_flight,
            bytes: arguments.bytes,
            pin: arguments.pin,
            reference_word: if arguments.beside.is_empty() {
                "floor"
            } else {
                "quiet"
            },
            reference: Rounds(Vec::new()),
            calls: Rounds(Vec::new()),
            reference_streams: Rounds(Vec::new()),
            streams: Rounds(Vec::new()),
            resident_kib: None,
        }
    }

    pub(super) fn json(&self) -> Value {
        let mut object = json!({
            "schema": 1,
            "agent": self.agent,
            "in_flight": self.in_flight,
            "bytes": self.bytes,
            "pin": self.pin,
        });
        if let (Some((before, after)), Some(object)) = (self.resident_kib, object.as_object_mut()) {
            let resident = json!({ "before": before, "after": after });
            object.insert("node_resident_kib".to_owned(), resident);
        }
        for row in self.rows() {
            if let Some(object) = object.as_object_mut() {
                let ratio = row.agent / row.reference;
                let figures = json!({ "agent": row.agent, self.reference_word: row.reference, "ratio": ratio });
                object.insert(row.key.to_owned(), figures);
            }
        }
        object
    }

    pub(super) fn text(&self) -> String {
        let pin = self
            .pin
            .map_or_else(|| "free".to_owned(), |cpu| format!("pinned to {cpu}"));
        let mut text = format!(
            "{}: {} in flight, {} bytes, {pin}; medians of rounds in turn\n{:<22}{:>12}{:>12}{:>9}",
            self.agent, self.in_flight, self.bytes, "", "agent", self.reference_word, "ratio"
        );
        for row in self.rows() {
            let (agent, reference) = (row.agent, row.reference);
            text.push_str(&format!(
                "\n{:<22}{agent:>12.1}{reference:>12.1}{:>9.2}",
                row.label,
                agent / reference
            ));
        }
        if let Some((before, after)) = self.resident_kib {
            text.push_str(&format!(
                "\nnode's memory, KiB: {before} before, {after} after"
            ));
        }
        text
    }

    fn rows(&self) -> Vec<Row> {
        if self.streams.0.is_empty() {
            self.call_rows()
        } else {
            self.stream_rows()
        }
    }

    fn call_rows(&self) -> Vec<Row> {
        let row = |key, label, figure: fn(&Calls) -> f64| Row {
            key,
            label,
            agent: self.calls.median(figure),
            reference: self.reference.median(figure),
        };
        vec![
            row("p50_us", "p50, us", |calls| calls.p50_us),
            row("p99_us", "p99, us", |calls| calls.p99_us),
            row("calls_per_s", "calls/s", |calls| calls.per_s),
        ]
    }

    fn stream_rows(&self) -> Vec<Row> {
        let row = |key, label, figure: fn(&Streams) -> f64| Row {
            key,
            label,
            agent: self.streams.median(figure),
            reference: self.reference_streams.median(figure),
        };
        vec![
            row("first_chunk_us", "first chunk, us", |stream| {
                us(stream.first)
            }),
            row("chunks_per_s", "chunks/s", |stream| {
                rate(stream.chunks, stream.whole)
            }),
            row("chunks", "chunks", |stream| count(stream.chunks)),
        ]
    }
}

struct Row {
    key: &'static str,
    label: &'static str,
    agent: f64,
    reference: f64,
}

fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn rate(number: usize, time: Duration) -> f64 {
    count(number) / time.as_secs_f64()
}

/// Exact up to 2^53, which no bench counts to.
#[expect(clippy::cast_precision_loss, reason = "no bench counts to 2^53")]
fn count(number: usize) -> f64 {
    number as f64
}

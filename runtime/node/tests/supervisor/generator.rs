//! Random scenarios: deeper trees and longer stories than the oracle's own generator makes.

use serde_json::{Map, Value, json};

/// Supervisors below one another, the root included.
const DEPTH_MAX: u64 = 4;
/// Workers of a tree as it is declared.
const WORKERS_MAX: u64 = 24;
/// Steps of a long story, before `stop_root`.
const STEPS_MAX: u64 = 48;
/// Steps of a story in which restarts grow old, so that it fits into one short period.
const STEPS_IN_PERIOD_MAX: u64 = 10;
/// The short period, and a wait after which all that was counted is older than it, also by OTP's
/// whole seconds.
const PERIOD_SECONDS: u64 = 5;
const OUTDATED_MS: u64 = 6100;

/// The scenario of this seed, as JSON.
pub(crate) fn scenario(seed: u64) -> Value {
    let mut maker = Maker::new(seed);
    let tree = Value::Object(maker.supervisor("root", 1, "never"));
    let steps = if maker.ages {
        STEPS_IN_PERIOD_MAX
    } else {
        maker.between(8, STEPS_MAX)
    };
    let mut steps: Vec<Value> = (0..steps).flat_map(|_| maker.steps()).collect();
    steps.push(json!({"op": "stop_root"}));
    json!({"tree": tree, "steps": steps})
}

struct Maker {
    state: u64,
    /// Whether restarts grow old in this scenario.
    ages: bool,
    next_id: u64,
    workers: Vec<String>,
    supervisors: Vec<String>,
    dynamic: Vec<String>,
    /// Children that were added by a step, by path: the same id is the same child.
    added: Vec<(String, Value)>,
}

impl Maker {
    fn new(seed: u64) -> Self {
        let mut maker = Self {
            state: seed,
            ages: false,
            next_id: 0,
            workers: Vec::new(),
            supervisors: Vec::new(),
            dynamic: Vec::new(),
            added: Vec::new(),
        };
        maker.ages = maker.once_in(5);
        maker
    }

    /// SplitMix64: small, and the same everywhere.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.between(1, times) == 1
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.index(words.len())]
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(len).unwrap()).unwrap()
    }

    fn path(&mut self, paths: &[String]) -> Option<String> {
        (!paths.is_empty()).then(|| paths[self.index(paths.len())].clone())
    }

    fn id(&mut self, kind: char) -> String {
        self.next_id += 1;
        format!("{kind}{}", self.next_id)
    }

    fn supervisor(&mut self, path: &str, depth: u64, auto_outside: &str) -> Map<String, Value> {
        let mut node = Map::new();
        let period = if self.ages { PERIOD_SECONDS } else { 3600 };
        node.insert("intensity".into(), self.between(0, 8).into());
        node.insert("period".into(), period.into());
        self.supervisors.push(path.to_owned());
        if depth > 1 {
            self.as_child(&mut node, auto_outside);
            node.insert("type".into(), "supervisor".into());
            // One that its parent kills, because its time is over, is gone before its children in
            // OTP, which go in no order.
            node.insert("shutdown".into(), "infinity".into());
            if self.once_in(6) {
                return self.dynamic(path, node);
            }
        }
        let strategy = self.pick(&["one_for_one", "one_for_all", "rest_for_one"]);
        node.insert("strategy".into(), strategy.into());
        let auto = self.pick(&[
            "never",
            "never",
            "never",
            "any_significant",
            "all_significant",
        ]);
        node.insert("auto_shutdown".into(), auto.into());
        let mut children = Vec::new();
        for _ in 0..self.between(1, 5) {
            let crowded = u64::try_from(self.workers.len()).unwrap() >= WORKERS_MAX;
            if depth < DEPTH_MAX && self.once_in(3) && !crowded {
                let id = self.id('s');
                let below = format!("{path}/{id}");
                let mut child = self.supervisor(&below, depth + 1, auto);
                child.insert("id".into(), id.into());
                children.push(Value::Object(child));
            } else {
                children.push(self.worker(path, auto));
            }
        }
        node.insert("children".into(), children.into());
        node
    }

    fn dynamic(&mut self, path: &str, mut node: Map<String, Value>) -> Map<String, Value> {
        node.insert("strategy".into(), "simple_one_for_one".into());
        let mut template = self.worker(path, "never");
        self.workers.pop();
        // OTP 25 itself fails when such a supervisor stops after a start was ignored.
        template.as_object_mut().unwrap().remove("ignore_starts");
        template["template"] = true.into();
        node.insert("children".into(), json!([template]));
        self.dynamic.push(path.to_owned());
        node
    }

    fn as_child(&mut self, node: &mut Map<String, Value>, auto_shutdown: &str) {
        let restart = self.pick(&["permanent", "permanent", "transient", "temporary"]);
        node.insert("restart".into(), restart.into());
        if auto_shutdown != "never" && restart != "permanent" && !self.once_in(3) {
            node.insert("significant".into(), true.into());
        }
    }

    fn worker(&mut self, parent: &str, auto_shutdown: &str) -> Value {
        let id = self.id('w');
        self.workers.push(format!("{parent}/{id}"));
        let mut node = Map::new();
        node.insert("id".into(), id.into());
        self.as_child(&mut node, auto_shutdown);
        match self.between(1, 100) {
            // Starts that fail once, several times in a row, or again and again.
            1..=12 => {
                let from = self.between(2, 4);
                let attempts: Vec<u64> = (from..from + self.between(1, 3)).collect();
                node.insert("fail_starts".into(), attempts.into());
            }
            13..=16 => {
                let attempts: Vec<u64> = (2..12).filter(|_| self.once_in(2)).collect();
                node.insert("fail_starts".into(), attempts.into());
            }
            17 if self.once_in(2) => drop(node.insert("fail_starts".into(), json!([1]))),
            18..=23 => {
                let attempt = self.between(1, 3);
                node.insert("ignore_starts".into(), json!([attempt]));
            }
            _ => {}
        }
        let (shutdown, delay) = match self.between(1, 20) {
            1..=3 => (json!("brutal_kill"), 0),
            4 => (json!(60), 400),
            5..=6 => (json!(2000), 20),
            7 => (json!("infinity"), 30),
            8 => (json!(0), 50),
            _ => (json!(5000), 0),
        };
        node.insert("shutdown".into(), shutdown);
        if delay > 0 {
            node.insert("stop_delay_ms".into(), delay.into());
        }
        Value::Object(node)
    }

    /// Mostly one step; now and then a whole group dies, one after the other.
    fn steps(&mut self) -> Vec<Value> {
        if self.once_in(15)
            && let Some(group) = self.path(&self.supervisors.clone())
        {
            let below = format!("{group}/");
            let all = self.workers.iter();
            let group: Vec<String> = all
                .filter(|path| path.starts_with(&below))
                .cloned()
                .collect();
            let dies = |path: String| self.exit_of(&path);
            return group.into_iter().take(6).map(dies).collect();
        }
        vec![self.step()]
    }

    fn exit_of(&mut self, path: &str) -> Value {
        let reason = self.pick(&[
            "crash",
            "crash",
            "crash",
            "normal",
            "shutdown",
            "shutdown:done",
            "kill",
        ]);
        json!({"op": "exit", "path": path, "reason": reason})
    }

    fn step(&mut self) -> Value {
        let worker = self.path(&self.workers.clone());
        let inner = self.path(&self.supervisors.clone()[1..]);
        match (self.between(1, 100), worker, inner) {
            (1..=50, Some(path), _) => self.exit_of(&path),
            (51..=54, _, Some(path)) => json!({"op": "exit", "path": path, "reason": "kill"}),
            (55..=60, ..) if self.ages => json!({"op": "wait", "ms": OUTDATED_MS}),
            _ => self.administration(),
        }
    }

    fn administration(&mut self) -> Value {
        let sup = self.path(&self.supervisors.clone()).unwrap_or_default();
        if self.dynamic.contains(&sup) {
            return self.dynamic_administration(&sup);
        }
        let below = format!("{sup}/");
        let known = self.workers.iter().chain(&self.supervisors);
        let ids = known.filter_map(|path| path.strip_prefix(&below));
        let ids: Vec<String> = ids
            .filter(|id| !id.contains('/'))
            .map(str::to_owned)
            .collect();
        let id = match self.path(&ids) {
            Some(id) if !self.once_in(12) => id,
            _ => "nobody".to_owned(),
        };
        match self.between(1, 10) {
            1..=3 => json!({"op": "terminate_child", "sup": sup, "id": id}),
            4..=5 => json!({"op": "restart_child", "sup": sup, "id": id}),
            6 => json!({"op": "delete_child", "sup": sup, "id": id}),
            7..=8 => self.start_child(&sup),
            9 => json!({"op": "which_children", "sup": sup}),
            _ => json!({"op": "count_children", "sup": sup}),
        }
    }

    fn start_child(&mut self, sup: &str) -> Value {
        let below = format!("{sup}/");
        let known: Vec<Value> = self
            .added
            .iter()
            .filter(|(path, _)| path.starts_with(&below))
            .map(|(_, child)| child.clone())
            .collect();
        let child = if !known.is_empty() && self.once_in(2) {
            known[self.index(known.len())].clone()
        } else {
            let child = self.worker(sup, "never");
            let path = self.workers.last().cloned().unwrap_or_default();
            self.added.push((path, child.clone()));
            child
        };
        json!({"op": "start_child", "sup": sup, "child": child})
    }

    fn dynamic_administration(&mut self, sup: &str) -> Value {
        let below = format!("{sup}/");
        let instances: Vec<String> = self
            .workers
            .iter()
            .filter_map(|path| path.strip_prefix(&below).map(str::to_owned))
            .collect();
        match (self.between(1, 10), self.path(&instances)) {
            (1..=2, Some(id)) => {
                json!({"op": "terminate_child", "sup": sup, "id": id, "dynamic": true})
            }
            (3, _) => json!({"op": "which_children", "sup": sup}),
            (4, _) => json!({"op": "count_children", "sup": sup}),
            _ => {
                let name = self.id('d');
                self.workers.push(format!("{sup}/{name}"));
                json!({"op": "start_child", "sup": sup, "name": name})
            }
        }
    }
}

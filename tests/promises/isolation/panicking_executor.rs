//! The injected fault: an executor that does what the real one does, and panics around some calls.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use heptapod_paas_runner::executor::{
    Executor, Failure, Halt, Inventory, Machine, NoWeight, Patience,
};
use heptapod_paas_runner::fact::Fact;
use heptapod_paas_runner::names::RunnerName;
use heptapod_paas_runner::payload::Payload;
use heptapod_paas_runner::weight::Weight;
use sandbox::Gate;

/// The calls of a job's life to its executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Provision,
    Launch,
    IsLost,
    Decommission,
}

/// Of what the call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
}

/// The real executor, which panics around some calls.
pub struct PanickingExecutor<'a> {
    real: &'a dyn Executor,
    breaks: Break,
    /// How often it still does.
    times: AtomicUsize,
    calls: Mutex<Vec<Call>>,
}

/// Where it panics, and what is told of that.
#[derive(Clone)]
pub struct Break {
    pub call: Call,
    pub side: Side,
    pub times: usize,
    /// Opened by the last panic.
    pub done: Gate,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            call, side, times, ..
        } = self;
        write!(f, "{times} panics {side:?} {call:?}")
    }
}

impl<'a> PanickingExecutor<'a> {
    pub fn new(real: &'a dyn Executor, breaks: Break) -> Self {
        Self {
            real,
            times: AtomicUsize::new(breaks.times),
            breaks,
            calls: Mutex::default(),
        }
    }

    fn around<T>(&self, call: Call, forward: impl FnOnce() -> T) -> T {
        self.calls.lock().unwrap().push(call);
        self.may_break(call, Side::Before);
        let answer = forward();
        self.may_break(call, Side::After);
        answer
    }

    /// What unwinds is what a panic is to those above; it only spares us its message.
    fn may_break(&self, call: Call, side: Side) {
        if (self.breaks.call, self.breaks.side) != (call, side) || self.panics_left() == 0 {
            return;
        }
        if self.times.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.breaks.done.open();
        }
        resume_unwind(Box::new("injected"));
    }

    pub fn panics_left(&self) -> usize {
        self.times.load(Ordering::SeqCst)
    }

    pub fn count(&self, call: Call) -> usize {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|made| **made == call).count()
    }
}

impl Executor for PanickingExecutor<'_> {
    fn describe(&self) -> String {
        self.real.describe()
    }

    fn probe(&self) -> Vec<Fact> {
        self.real.probe()
    }

    fn look_closer(&self, tenants: &BTreeSet<String>) -> Vec<Fact> {
        self.real.look_closer(tenants)
    }

    fn is_in_doubt(&self) -> bool {
        self.real.is_in_doubt()
    }

    fn weigh(&self, payload: &Payload, machine: &Machine) -> Option<Weight> {
        self.real.weigh(payload, machine)
    }

    fn goes_by_tags(&self, payload: &Payload, machine: &Machine) -> bool {
        self.real.goes_by_tags(payload, machine)
    }

    fn choose(&self, machine: &mut Machine, tags: &[String]) {
        self.real.choose(machine, tags);
    }

    fn weigh_flavor(&self, flavor: &str) -> Result<Weight, NoWeight> {
        self.real.weigh_flavor(flavor)
    }

    fn weights(&self) -> Result<RangeInclusive<Weight>, String> {
        self.real.weights()
    }

    fn provision(
        &self,
        machine: &mut Machine,
        payload: &Payload,
        patience: &dyn Patience,
    ) -> Result<(), Halt> {
        self.around(Call::Provision, || {
            self.real.provision(machine, payload, patience)
        })
    }

    fn launch(
        &self,
        machine: &mut Machine,
        payload: &Payload,
        patience: &dyn Patience,
    ) -> Result<(), Halt> {
        self.around(Call::Launch, || {
            self.real.launch(machine, payload, patience)
        })
    }

    fn is_lost(&self, machine: &Machine) -> Result<Option<Failure>, String> {
        self.around(Call::IsLost, || self.real.is_lost(machine))
    }

    fn machines(&self, runner: &RunnerName, tenants: &BTreeSet<String>) -> Inventory {
        self.real.machines(runner, tenants)
    }

    fn decommission(&self, machine: &Machine) -> Result<(), String> {
        self.around(Call::Decommission, || self.real.decommission(machine))
    }

    fn listed_within(&self) -> Duration {
        self.real.listed_within()
    }

    fn created_within(&self) -> Duration {
        self.real.created_within()
    }
}

//! The actor: how a supervisor is spawned, and how messages reach what it holds.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, ActorRuntime, SupervisionEvent};
use synapse_core::exit::ExitReason;
use synapse_core::supervisor::{
    ChildSpec, DynamicFlags, DynamicSupervisor, Flags, SpecError, StartError, Supervisor,
};

use crate::supervisor::decider::Decider;
use crate::supervisor::state::State;
use crate::supervisor::{
    ChildEvents, ChildFactory, SupervisorEvent, SupervisorHandle, SupervisorMessage,
    SupervisorObserver,
};

/// What a supervisor is made of.
#[derive(Clone, Debug)]
pub struct SupervisorSettings {
    /// Its path, e.g. `root/research`.
    pub path: String,
    /// Strategy, intensity, period, auto-shutdown.
    pub flags: Flags,
    /// Its children in start order.
    pub children: Vec<ChildSpec>,
    /// For the jitter of backoffs.
    pub seed: u64,
}

/// The actor of one supervisor; it has no name outside its own tree.
#[derive(Debug)]
pub struct AgentSupervisor;

impl AgentSupervisor {
    /// Spawns a supervisor, which begins to start its children. Does not wait: `up` hears
    /// `started` when all are up, `start_failed` when they are not, `exited` at the end.
    ///
    /// # Errors
    /// The settings hold a child spec that is not valid; `up` hears of it too.
    pub fn spawn(
        settings: SupervisorSettings,
        factory: Arc<dyn ChildFactory>,
        observer: Arc<dyn SupervisorObserver>,
        up: ChildEvents,
    ) -> Result<SupervisorHandle, SpawnError> {
        let SupervisorSettings {
            path,
            flags,
            children,
            seed,
        } = settings;
        let core = match Supervisor::new(path.clone(), flags, children, seed) {
            Ok(core) => core,
            Err(error) => {
                up.start_failed(StartError::new(ExitReason::StartFailed(error.to_string())));
                return Err(error.into());
            }
        };
        let core = Decider::Static(core);
        Self::begin(StartArguments {
            path,
            core,
            factory,
            observer,
            up,
        })
    }

    /// Spawns a supervisor of children that come and go; it has none yet, and is up at once.
    ///
    /// # Errors
    /// The actor system refused.
    pub fn spawn_dynamic(
        path: impl Into<String>,
        flags: DynamicFlags,
        seed: u64,
        factory: Arc<dyn ChildFactory>,
        observer: Arc<dyn SupervisorObserver>,
        up: ChildEvents,
    ) -> Result<SupervisorHandle, SpawnError> {
        let path = path.into();
        let core = Decider::Dynamic(DynamicSupervisor::new(path.clone(), flags, seed));
        Self::begin(StartArguments {
            path,
            core,
            factory,
            observer,
            up,
        })
    }

    /// No name: ractor's are global to the process, and a node is a value.
    fn begin(start: StartArguments) -> Result<SupervisorHandle, SpawnError> {
        let (actor, _task) = ActorRuntime::spawn_instant(None, Self, start)
            .map_err(|error| SpawnError::Actor(error.to_string()))?;
        let handle = SupervisorHandle::new(actor.clone());
        // An error means that the actor is already gone; then `up` has heard of it.
        drop(actor.cast(SupervisorMessage::Start));
        Ok(handle)
    }
}

/// Why a supervisor could not be spawned.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// A child spec is not valid.
    #[error("check the child specs")]
    Spec(#[from] SpecError),
    /// The actor system refused.
    #[error("spawn the supervisor's actor: {0}")]
    Actor(String),
}

/// What the actor begins with.
pub struct StartArguments {
    pub(super) path: String,
    pub(super) core: Decider,
    pub(super) factory: Arc<dyn ChildFactory>,
    pub(super) observer: Arc<dyn SupervisorObserver>,
    pub(super) up: ChildEvents,
}

impl Actor for AgentSupervisor {
    type Msg = SupervisorMessage;
    type State = State;
    type Arguments = StartArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        start: StartArguments,
    ) -> Result<State, ActorProcessingErr> {
        let handle = SupervisorHandle::new(myself);
        let starting = SupervisorEvent::Starting(handle);
        start.observer.observe(&start.path, starting);
        Ok(State::new(start))
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: SupervisorMessage,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(event) = state.event(&myself, message) {
            state.decide(&myself, event);
        }
        Ok(())
    }

    /// Linked children: only the text of a panic is taken from here. Their end is told by their
    /// [`ChildEvents`], which they lose in any case.
    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(cell, error) = event {
            state.panicked(cell.get_id(), error.to_string());
        }
        Ok(())
    }
}

impl std::fmt::Debug for StartArguments {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("StartArguments")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

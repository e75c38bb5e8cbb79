//! What the shell does for the machine while it goes on: runs, questions, watches, the node's
//! events. Each comes back with events; none decides anything.

use std::collections::HashMap;
use std::time::Duration;

use synapse_api::{Client, ClientError, Follow, LogQuery, NodeEvent, RunEvent, RunRequest};
use tokio::sync::mpsc::Sender;
use tokio::task::{AbortHandle, JoinSet};

use crate::grammar::Letters;
use crate::machine::{Answer, Event, Failure, Item, Question, Task, Watch};

/// Between two tries to follow the node's events, so that a node that refuses is not flooded.
const FEED_RETRY: Duration = Duration::from_secs(1);
/// Lines of the log and events that are shown where no more are asked for: a screenful or two.
const TAIL_LINES: usize = 50;

/// The tasks under way.
#[derive(Debug)]
pub(crate) struct Tasks {
    client: Client,
    events: Sender<Event>,
    running: JoinSet<()>,
    handles: HashMap<Task, AbortHandle>,
}

impl Tasks {
    pub(crate) fn new(client: Client, events: Sender<Event>) -> Self {
        Self {
            client,
            events,
            running: JoinSet::new(),
            handles: HashMap::new(),
        }
    }

    /// Begins a run.
    pub(crate) fn call(&mut self, task: Task, agent: String, request: RunRequest) {
        let (client, events) = (self.client.clone(), self.events.clone());
        self.begin(task, async move {
            if let Err(error) = run(task, &client, &agent, &request, &events).await {
                send(&events, Event::RunFailed(task, error.into())).await;
            }
        });
    }

    /// Asks the node something.
    pub(crate) fn ask(&mut self, task: Task, question: Question) {
        let (client, events) = (self.client.clone(), self.events.clone());
        self.begin(task, async move {
            let event = match answer(&client, question).await {
                Ok(answer) => Event::Answered(task, Box::new(answer)),
                Err(error) => Event::Failed(task, error.into()),
            };
            send(&events, event).await;
        });
    }

    /// Watches something until it is dropped.
    pub(crate) fn watch(&mut self, task: Task, watch: Watch) {
        let (client, events) = (self.client.clone(), self.events.clone());
        self.begin(task, async move {
            let event = match follow(task, &client, watch, &events).await {
                Ok(()) => Event::FollowEnded(task),
                Err(error) => Event::Failed(task, error.into()),
            };
            send(&events, event).await;
        });
    }

    /// Gives a task up; the connection of a run is closed with it, which cancels the run.
    pub(crate) fn drop_task(&mut self, task: Task) {
        if let Some(handle) = self.handles.remove(&task) {
            handle.abort();
        }
    }

    /// Asks the node to cancel a run.
    pub(crate) fn cancel(&mut self, run: String) {
        let client = self.client.clone();
        self.spawn(async move {
            // A run that has just ended cannot be cancelled; its own last event tells how it ended.
            let _cancelled = client.cancel(&run).await;
        });
    }

    /// Forgets a conversation.
    pub(crate) fn forget(&mut self, session: String) {
        let client = self.client.clone();
        self.spawn(async move {
            // The node drops conversations by itself when they are many: this is only tidiness.
            let _dropped = client.drop_session(&session).await;
        });
    }

    /// Looks how much there is of a conversation whose agent came back.
    pub(crate) fn look_after(&mut self, event: NodeEvent, session: String) {
        let (client, events) = (self.client.clone(), self.events.clone());
        self.spawn(async move {
            let kept = client
                .session(&session)
                .await
                .ok()
                .map(|session| session.messages);
            send(
                &events,
                Event::Kept(event, kept.filter(|messages| *messages > 0)),
            )
            .await;
        });
    }

    /// Passes on what happens in the node, from a stream that is open or else from a new one.
    pub(crate) fn feed(&mut self, open: Option<Follow<NodeEvent>>) {
        let (client, events) = (self.client.clone(), self.events.clone());
        self.spawn(async move {
            let failure = match feed(open, &client, &events).await {
                Ok(()) => Failure::Gone,
                Err(error) => error.into(),
            };
            send(&events, Event::FeedLost(failure)).await;
        });
    }

    fn begin(&mut self, task: Task, work: impl Future<Output = ()> + Send + 'static) {
        self.handles.retain(|_, handle| !handle.is_finished());
        let handle = self.spawn(work);
        self.handles.insert(task, handle);
    }

    /// Those that have ended are forgotten first: a console may stand open for weeks.
    fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        while self.running.try_join_next().is_some() {}
        self.running.spawn(work)
    }
}

async fn send(events: &Sender<Event>, event: Event) {
    // The console has ended where nobody receives.
    let _sent = events.send(event).await;
}

async fn run(
    task: Task,
    client: &Client,
    agent: &str,
    request: &RunRequest,
    events: &Sender<Event>,
) -> Result<(), ClientError> {
    let mut stream = client.run_stream(agent, request).await?;
    while let Some(event) = stream.next().await? {
        let last = matches!(event, RunEvent::Result(_) | RunEvent::Error(_));
        send(events, Event::Run(task, event)).await;
        if last {
            break;
        }
    }
    Ok(())
}

async fn answer(client: &Client, question: Question) -> Result<Answer, ClientError> {
    Ok(match question {
        Question::Tree => Answer::Tree(client.status().await?),
        Question::Status => Answer::Status(client.status().await?),
        Question::Agent(name) => Answer::Agent(client.agent(&name).await?),
        Question::Inspect { agent, frames } => Answer::Inspect {
            detail: client.agent(&agent).await?,
            frames,
        },
        Question::Exit {
            agent,
            which,
            frames,
        } => Answer::Exit {
            dossier: client.exit(&agent, which).await?,
            frames,
        },
        Question::Stack(target) => Answer::Stack(client.stacks(&target).await?),
        Question::History(session) => Answer::History(client.session(&session).await?),
        Question::Logs { agent, previous } => {
            let query = LogQuery {
                previous,
                tail: Some(TAIL_LINES),
            };
            Answer::Logs(client.logs(&agent, query).await?)
        }
        Question::Events => Answer::Events(client.events(Some(TAIL_LINES)).await?),
        Question::Letters(letters) => about_letters(client, letters).await?,
        Question::Act(kind, targets) => Answer::Acted(client.action(kind, &targets).await?),
    })
}

async fn about_letters(client: &Client, letters: Letters) -> Result<Answer, ClientError> {
    Ok(match letters {
        Letters::List(agent) => Answer::Letters(client.dead_letters(agent.as_deref()).await?),
        Letters::Show(id) => Answer::Letter(Box::new(client.dead_letter(&id).await?)),
        Letters::Retry(id) => Answer::Tried(client.retry_dead_letter(&id).await?),
        Letters::Drop(id) => client
            .drop_dead_letter(&id)
            .await
            .map(|()| Answer::Dropped(1))?,
        Letters::DropAll => Answer::Dropped(client.drop_dead_letters(None).await?),
    })
}

async fn follow(
    task: Task,
    client: &Client,
    watch: Watch,
    events: &Sender<Event>,
) -> Result<(), ClientError> {
    match watch {
        Watch::Logs { agent, previous } => {
            let query = LogQuery {
                previous,
                tail: Some(TAIL_LINES),
            };
            let mut lines = client.logs_follow(&agent, query).await?;
            while let Some(line) = lines.next().await? {
                send(events, Event::Followed(task, Box::new(Item::Log(line)))).await;
            }
        }
        Watch::Events => {
            let mut happened = client.events_follow(Some(TAIL_LINES)).await?;
            while let Some(event) = happened.next().await? {
                send(events, Event::Followed(task, Box::new(Item::Event(event)))).await;
            }
        }
    }
    Ok(())
}

async fn feed(
    open: Option<Follow<NodeEvent>>,
    client: &Client,
    events: &Sender<Event>,
) -> Result<(), ClientError> {
    let mut happened = match open {
        Some(open) => open,
        None => {
            tokio::time::sleep(FEED_RETRY).await;
            client.events_follow(Some(0)).await?
        }
    };
    while let Some(event) = happened.next().await? {
        send(events, Event::Notice(event)).await;
    }
    Ok(())
}

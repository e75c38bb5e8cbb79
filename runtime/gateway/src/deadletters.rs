//! The routes of dead letters.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use synapse_core::fault::{Fault, FaultCode};
use synapse_node::{LetterId, WhichLetters};

use crate::convert;
use crate::refusal::Refusal;
use crate::request::{Parameters, Segment};
use crate::routes::Shared;

pub(crate) async fn list(State(shared): State<Shared>, uri: Uri) -> Result<Response, Refusal> {
    let parameters = Parameters::read(&uri, &["agent"])?;
    let list = shared.node.dead_letters(parameters.text("agent"))?;
    Ok(Json(convert::dead_letters(list)).into_response())
}

pub(crate) async fn drop_many(State(shared): State<Shared>, uri: Uri) -> Result<Response, Refusal> {
    let parameters = Parameters::read(&uri, &["agent"])?;
    let which = match parameters.text("agent") {
        Some(agent) => WhichLetters::Of(agent),
        None => WhichLetters::All,
    };
    let dropped = shared.node.drop_dead_letters(which).await?;
    Ok(Json(convert::dropped(dropped)).into_response())
}

pub(crate) async fn show(
    State(shared): State<Shared>,
    Segment(id): Segment,
) -> Result<Response, Refusal> {
    let letter = shared.node.dead_letter(&id).await;
    let letter = letter.map_err(|fault| missing(&id, fault))?;
    Ok(Json(convert::dead_letter(&letter)).into_response())
}

pub(crate) async fn retry(
    State(shared): State<Shared>,
    Segment(id): Segment,
) -> Result<Response, Refusal> {
    // Looked for first: a fault of the run is none of the letter's.
    let letter = shared.node.dead_letter(&id).await;
    letter.map_err(|fault| missing(&id, fault))?;
    let outcome = shared.node.retry_dead_letter(&id).await?;
    Ok(Json(convert::run_result(outcome)).into_response())
}

pub(crate) async fn drop_one(
    State(shared): State<Shared>,
    Segment(id): Segment,
) -> Result<Response, Refusal> {
    let dropped = shared.node.drop_dead_letters(WhichLetters::One(&id)).await;
    dropped.map_err(|fault| missing(&id, fault))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What is an id, and none of a letter, is not found.
fn missing(id: &str, fault: Fault) -> Refusal {
    let not_found = fault.code == FaultCode::InvalidInput && id.parse::<LetterId>().is_ok();
    let refusal = Refusal::from(fault);
    match not_found {
        true => refusal.with_status(StatusCode::NOT_FOUND),
        false => refusal,
    }
}

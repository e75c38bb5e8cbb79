//! What the runtime may say, when: each command appends its frame to an output buffer, or is
//! refused and changes nothing. Refuses to know when the buffer is written.

use super::{Greeting, Refused, Run, RuntimeSession, State};
use crate::VERSIONS;
use crate::frame::{
    CallFrame, Cancel, CancelReason, Credit, OutputVerdict, Ping, Stop, ToolResult, Welcome,
};
use crate::limits::PINGS_OPEN_MAX;

/// The runtime's commands: each appends its frame to `out`, or is refused and changes nothing.
impl RuntimeSession {
    /// Answers `hello` with the highest common version.
    ///
    /// # Errors
    /// Unless `hello` has just come, or where the configuration exceeds a frame.
    pub fn welcome(&mut self, greeting: Greeting, out: &mut Vec<u8>) -> Result<(), Refused> {
        let State::Greeting { version } = self.state else {
            return Err(Refused::State);
        };
        let Greeting {
            node,
            agent,
            incarnation,
            configuration,
            tools,
            limits,
        } = greeting;
        let versions = VERSIONS.to_vec();
        Welcome {
            version,
            versions,
            node,
            agent,
            incarnation,
            configuration,
            tools,
            limits,
        }
        .encode(out)?;
        self.state = State::Loading;
        Ok(())
    }

    /// Sends a call.
    ///
    /// # Errors
    /// Unless the agent is ready, for a run number in use, or where the call exceeds a frame.
    pub fn call(&mut self, call: &CallFrame<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
        if self.state != State::Ready {
            return Err(Refused::State);
        }
        if call.run == 0 || self.runs.contains_key(&call.run) {
            return Err(Refused::RunInUse);
        }
        call.encode(out)?;
        self.runs.insert(call.run, Run::new(call));
        Ok(())
    }

    /// The reader of a stream took chunks. Grants more when it is time: how many.
    ///
    /// # Errors
    /// Where the run is not open.
    pub fn taken(&mut self, run: u64, chunks: u32, out: &mut Vec<u8>) -> Result<u32, Refused> {
        let open = self.runs.get_mut(&run).ok_or(Refused::UnknownRun)?;
        let Some(chunks) = open.take(chunks) else {
            return Ok(0);
        };
        Credit { run, chunks }.encode(out)?;
        Ok(chunks)
    }

    /// Tells a run to stop; it still owes its result or fault. Said once only.
    ///
    /// # Errors
    /// Where the run is not open.
    pub fn cancel(
        &mut self,
        run: u64,
        reason: CancelReason,
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let open = self.runs.get_mut(&run).ok_or(Refused::UnknownRun)?;
        if !open.cancelled {
            Cancel { run, reason }.encode(out)?;
            open.cancelled = true;
        }
        Ok(())
    }

    /// Answers a tool call. Where the value exceeds a frame, the call stays open for another answer.
    ///
    /// # Errors
    /// Where the run or the call is not open.
    pub fn tool_result(&mut self, result: &ToolResult, out: &mut Vec<u8>) -> Result<(), Refused> {
        let open = self.runs.get_mut(&result.run).ok_or(Refused::UnknownRun)?;
        if !open.tool_calls.is_open(result.call) {
            return Err(Refused::UnknownRequest);
        }
        result.encode(out)?;
        open.tool_calls.close(result.call);
        Ok(())
    }

    /// Answers an output check.
    ///
    /// # Errors
    /// Where the run or the check is not open.
    pub fn output_verdict(
        &mut self,
        verdict: &OutputVerdict,
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let open = self.runs.get_mut(&verdict.run).ok_or(Refused::UnknownRun)?;
        if !open.output_checks.is_open(verdict.check) {
            return Err(Refused::UnknownRequest);
        }
        verdict.encode(out)?;
        open.output_checks.close(verdict.check);
        Ok(())
    }

    /// Asks whether the agent is alive; returns the nonce that its pong will have.
    ///
    /// # Errors
    /// Before welcome, or while `PINGS_OPEN_MAX` are without an answer.
    pub fn ping(&mut self, out: &mut Vec<u8>) -> Result<u64, Refused> {
        self.greeted()?;
        if self.pings_open() >= PINGS_OPEN_MAX {
            return Err(Refused::TooManyPings);
        }
        let nonce = self.ping_next;
        Ping { nonce }.encode(out)?;
        self.ping_next += 1;
        Ok(nonce)
    }

    /// Tells the agent to finish its runs and exit. May be said again with less time.
    ///
    /// # Errors
    /// Before welcome: there is nothing to drain then, so end its input.
    pub fn stop(&mut self, deadline_ms: u64, out: &mut Vec<u8>) -> Result<(), Refused> {
        self.greeted()?;
        Stop { deadline_ms }.encode(out)?;
        if let State::Loading | State::Ready = self.state {
            self.state = State::Draining {
                ready: self.state == State::Ready,
            };
        }
        Ok(())
    }

    /// Whether the conversation has begun and not ended.
    pub(super) fn greeted(&self) -> Result<(), Refused> {
        match self.state {
            State::Loading | State::Ready | State::Draining { .. } => Ok(()),
            State::AwaitingHello | State::Greeting { .. } | State::Ended => Err(Refused::State),
        }
    }
}

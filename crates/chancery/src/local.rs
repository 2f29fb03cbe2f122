//! A client on a running server's local socket: signed in by the socket itself (SASL EXTERNAL), so
//! the owner of the data folder needs no password. Pipelined, so that a load shares the server's
//! commits.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use ldap::ber::{Frame, frame};
use ldap::message::{
    Authentication, BindRequest, Control, ExtendedRequest, MessageId, Request, encode_request,
};
use ldap::oid;
use ldap::response::{Response, ResponseMessage};
use ldap::result::ResultCode;
use serde_json::Value;

use crate::failure::failed;
use crate::steward::Asked;

/// Requests sent before the first of them must be answered. Below the server's own limit, so that
/// it never stops reading.
const IN_FLIGHT_MAX: usize = 48;

/// The largest answer that is taken.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Silence after which the server counts as gone.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Local {
    socket: UnixStream,
    received: Vec<u8>,
    last_id: u32,
    waiting: VecDeque<MessageId>,
}

/// What the server answered to one request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: ResultCode,
    pub(crate) message: String,
    /// Of an extended operation.
    pub(crate) value: Option<Vec<u8>>,
}

/// Asks the running server something that only its operator may ask.
pub(crate) fn manage(data: &Path, asked: &Asked) -> Result<Value> {
    let request = serde_json::to_vec(asked).map_err(failed)?;
    let mut local = Local::connect(data)?;
    let operation = ExtendedRequest { oid: oid::extended::MANAGE, value: Some(&request) };
    local.send(&Request::Extended(operation), &[])?;
    let answer = local.next_answer()?;
    if answer.code != ResultCode::SUCCESS {
        return Err(failed(answer.message));
    }
    serde_json::from_slice(&answer.value.unwrap_or_default())
        .map_err(|error| failed(format!("the server's answer is not the JSON expected: {error}")))
}

/// Whether a server runs on this data folder and answers.
pub(crate) fn is_served(data: &Path) -> bool {
    UnixStream::connect(data.join("ldapi")).is_ok()
}

impl Local {
    /// Connects and signs in as the operator.
    pub(crate) fn connect(data: &Path) -> Result<Local> {
        let path = data.join("ldapi");
        let socket = UnixStream::connect(&path).map_err(|error| {
            failed(format!(
                "the folder {} is in use, but its server does not answer on {}: {error}; stop the \
                 process that uses it, or wait until it has started",
                data.display(),
                path.display()
            ))
        })?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        let mut local =
            Local { socket, received: Vec::new(), last_id: 0, waiting: VecDeque::new() };
        local.bind()?;
        Ok(local)
    }

    fn bind(&mut self) -> Result<()> {
        let authentication = Authentication::Sasl { mechanism: "EXTERNAL", credentials: None };
        self.send(&Request::Bind(BindRequest { version: 3, name: "", authentication }), &[])?;
        let answer = self.next_answer()?;
        if answer.code == ResultCode::SUCCESS {
            return Ok(());
        }
        Err(failed(format!(
            "the server refused its own user: {} ({})",
            answer.message, answer.code
        )))
    }

    /// Whether another request may be sent before an answer is taken.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < IN_FLIGHT_MAX
    }

    pub(crate) fn send(&mut self, request: &Request<'_>, controls: &[Control<'_>]) -> Result<()> {
        self.last_id += 1;
        let id = MessageId(self.last_id);
        let mut bytes = Vec::new();
        encode_request(id, request, controls, &mut bytes);
        self.socket.write_all(&bytes).map_err(gone)?;
        self.waiting.push_back(id);
        Ok(())
    }

    /// The answer to the oldest request. The server answers changes of one connection in the order
    /// in which it was asked, because one writer does them.
    pub(crate) fn next_answer(&mut self) -> Result<Answer> {
        loop {
            if let Frame::Complete { length } =
                frame(&self.received, ANSWER_BYTES_MAX).map_err(failed)?
            {
                let bytes: Vec<u8> = self.received.drain(..length).collect();
                return self.take(&bytes);
            }
            let mut more = [0; 16 * 1024];
            match self.socket.read(&mut more).map_err(gone)? {
                0 => return Err(failed("the server closed the connection")),
                count => self.received.extend(more.iter().take(count)),
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Answer> {
        let message = ResponseMessage::decode(bytes).map_err(failed)?;
        let Some(outcome) = message.response.outcome() else {
            return Err(failed("the server answered something that was not asked for"));
        };
        let value = match &message.response {
            Response::Extended(extended) => extended.value.map(<[u8]>::to_vec),
            _ => None,
        };
        let answer = Answer { code: outcome.code, message: outcome.message.to_string(), value };
        match self.waiting.iter().position(|id| *id == message.id) {
            Some(0) => {
                self.waiting.pop_front();
                Ok(answer)
            }
            Some(_) => Err(failed("the server answered out of order")),
            None if matches!(message.response, Response::Extended { .. }) => {
                Err(failed(format!("the server ended the connection: {}", answer.message)))
            }
            None => Err(failed("the server answered a request that was never made")),
        }
    }
}

fn gone(error: std::io::Error) -> anyhow::Error {
    failed(format!("the server on the local socket is gone: {error}"))
}

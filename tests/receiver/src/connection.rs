//! One connection: reads its requests, records them, and responds by the script.

use std::borrow::Cow;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::time::SystemTime;

use crate::control;
use crate::http::{Head, Incoming, ReadError};
use crate::proxy;
use crate::record::Record;
use crate::response::{self, After};
use crate::script::Step;
use crate::shared::{Listener, Role, Shared};
use crate::stats::add_one;
use crate::stream::Stream;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Counts an accepted connection and returns its number.
pub fn count(listener: &Listener, shared: &Shared) -> u64 {
    add_one(&listener.stats.connections);
    shared.connections.fetch_add(1, Relaxed) + 1
}

/// Serves a connection until it ends.
pub fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    number: u64,
    listener: &Listener,
    shared: &Shared,
) {
    if let Some(stream) = open(socket, listener) {
        let connection = Connection {
            number,
            peer,
            via: None,
            listener,
            shared,
        };
        connection.run(stream);
    }
    add_one(&listener.stats.closed);
}

fn open(socket: TcpStream, listener: &Listener) -> Option<Stream> {
    socket.set_nodelay(true).ok()?;
    if let Role::Mute = listener.role {
        Stream::Plain(socket).discard_until_end();
        return None;
    }
    let Some(config) = &listener.tls else {
        return Some(Stream::Plain(socket));
    };
    let accepted = Stream::accept_tls(socket, config.clone());
    if accepted.is_err() {
        add_one(&listener.stats.handshakes_failed);
    }
    accepted.ok()
}

/// The state of a connection.
struct Connection<'a> {
    number: u64,
    peer: SocketAddr,
    via: Option<&'static str>,
    listener: &'a Listener,
    shared: &'a Shared,
}

/// How a request is handled.
enum Route<'a> {
    Control,
    Run { run: &'a str, step: Cow<'a, str> },
}

impl Connection<'_> {
    fn run(mut self, mut stream: Stream) {
        let mut incoming = Incoming::default();
        let mut first_request = true;
        loop {
            let head = match incoming.read_head(&mut stream) {
                Ok(Some(head)) => head,
                Ok(None) => return stream.finish(),
                Err(error) => return self.refuse(&error, stream),
            };
            if first_request {
                // Only now: a tunnel is registered before its first request.
                self.via = self.shared.tunnels.via(self.peer);
                first_request = false;
            }
            if head.method == "CONNECT" {
                return self.connect(&head, &incoming, stream);
            }
            match self.handle(&head, &mut incoming, &mut stream) {
                Ok(After::KeepAlive) if head.keep_alive => {}
                Ok(After::KeepAlive | After::Finish) => return stream.finish(),
                Ok(After::Close) => return stream.close(),
                Ok(After::Reset) => return stream.reset(),
                Err(error) => return self.refuse(&error, stream),
            }
        }
    }

    fn connect(&self, head: &Head, incoming: &Incoming, stream: Stream) {
        let record = |status: &str| {
            self.keep(self.record(head, &head.target, "", status, None));
        };
        let tunnels = &self.shared.tunnels;
        proxy::connect(self.listener, tunnels, head, incoming, stream, record);
    }

    fn refuse(&self, error: &ReadError, mut stream: Stream) {
        let status = match error {
            ReadError::Gone => return stream.close(),
            ReadError::Malformed => "400 Bad Request",
            ReadError::TooLarge => "413 Content Too Large",
        };
        add_one(&self.listener.stats.malformed);
        let body = b"katalys-receiver could not read this request\n";
        // The client may have left, or speak TLS to a plain port; a failure is ignored.
        let _ = stream.write_all(&response::with_body(status, "text/plain", body));
        stream.finish();
    }

    fn handle(
        &self,
        head: &Head,
        incoming: &mut Incoming,
        stream: &mut Stream,
    ) -> Result<After, ReadError> {
        let path = match proxy::path_of(&head.target) {
            Some(path) if !proxy::is_authorized(self.listener, head) => {
                let record = self.record(head, path, "", "407", None);
                self.keep(record);
                stream.write_all(proxy::AUTHENTICATION_REQUIRED)?;
                return Ok(After::Finish);
            }
            Some(path) => path,
            None => &head.target,
        };
        match self.route(path) {
            Route::Control => {
                incoming.read_body(head, stream)?;
                stream.write_all(&control::respond(&head.method, path, self.shared))?;
                Ok(After::KeepAlive)
            }
            Route::Run { run, step } => self.run_step(head, path, run, &step, incoming, stream),
        }
    }

    fn route<'a>(&self, path: &'a str) -> Route<'a> {
        let (bare, _) = path.split_once('?').unwrap_or((path, ""));
        if bare.starts_with("/_") {
            return Route::Control;
        }
        if let Some(script) = bare.strip_prefix("/run/") {
            let run = script.split('/').next().unwrap_or_default();
            return Route::Run {
                run,
                step: self.shared.scripts.next(script).into(),
            };
        }
        if let Some(run) = bare.strip_prefix("/elsewhere/") {
            return Route::Run {
                run,
                step: "204".into(),
            };
        }
        let step = if bare == "/v2/_tr_offline" {
            "204"
        } else {
            "404"
        };
        Route::Run {
            run: "",
            step: step.into(),
        }
    }

    fn run_step(
        &self,
        head: &Head,
        path: &str,
        run: &str,
        step_text: &str,
        incoming: &mut Incoming,
        stream: &mut Stream,
    ) -> Result<After, ReadError> {
        let step = Step::parse(step_text);
        if step == Step::ResetBefore {
            self.keep(self.record(head, path, run, step_text, None));
            return Ok(After::Reset);
        }
        if step == Step::Continue || head.expects_continue {
            stream.write_all(CONTINUE)?;
        }
        match incoming.read_body(head, stream) {
            Ok(body) => self.keep(self.record(head, path, run, step_text, Some(body))),
            Err(error) => {
                self.keep(self.record(head, path, run, step_text, None));
                return Err(error);
            }
        }
        Ok(response::execute(&step, run, stream))
    }

    /// Creates the record of a request; `None` if nothing is recorded.
    fn record(
        &self,
        head: &Head,
        path: &str,
        run: &str,
        step: &str,
        body: Option<Vec<u8>>,
    ) -> Option<Record> {
        add_one(&self.listener.stats.requests);
        if let (Some(printer), Some(body)) = (&self.shared.printer, &body)
            && head.method == "POST"
        {
            printer.print(&head.raw, body, step);
        }
        let through = if head.target.starts_with('/') {
            None
        } else {
            Some(self.listener.name)
        };
        self.shared.records.is_some().then(|| Record {
            run: run.to_owned(),
            at: SystemTime::now(),
            connection: self.number,
            listener: self.listener.name,
            via: self.via.or(through),
            method: head.method.clone(),
            path: path.to_owned(),
            head: head.raw.clone(),
            body,
            step: step.to_owned(),
        })
    }

    /// Stores a record before the response is sent, so that a client with the response finds it.
    fn keep(&self, record: Option<Record>) {
        if let (Some(records), Some(record)) = (&self.shared.records, record) {
            records.add(record);
        }
    }
}

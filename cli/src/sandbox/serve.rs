//! Accepts connections, routes their requests, and shuts down.

use super::faults::Faults;
use super::guard::{self, Guard};
use super::store::Store;
use super::{App, Arguments, api, endpoint, page};
use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::Request;
use axum::routing::{delete, get, post};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tower_service::Service;

/// How long requests in flight may take at shutdown.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Allows a handler to reset its connection.
#[derive(Default)]
pub struct Connection {
    reset: Notify,
}

impl Connection {
    pub fn reset(&self) {
        self.reset.notify_one();
    }
}

pub fn run(arguments: &Arguments) -> Result<(), String> {
    let (store, thread) =
        Store::open(arguments.file.as_deref()).map_err(|error| match &arguments.file {
            Some(path) => format!("{}: {error}", path.display()),
            None => error,
        })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let result = runtime.block_on(serve(arguments, store));
    runtime.shutdown_background();
    let _ = thread.join();
    result
}

async fn serve(arguments: &Arguments, store: Store) -> Result<(), String> {
    let Arguments { host, port, .. } = arguments;
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let listener = TcpListener::bind((name, *port)).await;
    let listener = listener.map_err(|error| cannot_listen(host, *port, &error))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let url = format!("http://{}", reachable(address));
    let (close, closing) = watch::channel(false);
    let app = Arc::new(App {
        store,
        faults: Faults::new(arguments.fault.clone()),
        endpoint: format!("{url}/v2/_tr_offline"),
        closing: closing.clone(),
    });
    let guard = Guard::new(address.ip(), name, &arguments.allow_host);
    let server = Server {
        router: routes(&app),
        guard,
    };
    let stop = stop_signal(arguments.until_stdin_closes)?;
    announce(arguments, &url, &app.endpoint).map_err(|error| error.to_string())?;
    drop(app);
    let mut connections = accept(&listener, server, &closing, stop).await;
    drop(listener);
    let _ = close.send(true);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, all).await;
    connections.shutdown().await;
    Ok(())
}

fn cannot_listen(host: &str, port: u16, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "port {port} is in use; use --port to select another, or --port 0 for a free one"
            )
        }
        _ => format!("cannot listen on {host}, port {port}: {error}"),
    }
}

/// The address for a client on this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip([127, 0, 0, 1].into());
    }
    address
}

fn routes(app: &Arc<App>) -> Router {
    Router::new()
        .route("/v2/_tr_offline", post(endpoint::receive))
        .route("/", get(page::index))
        .route("/assets/{name}", get(page::asset))
        .route("/_sandbox", delete(api::clear))
        .route("/_sandbox/about", get(api::about))
        .route("/_sandbox/orders", get(api::orders))
        .route("/_sandbox/orders/{id}", get(api::order))
        .route("/_sandbox/details", get(api::details))
        .route("/_sandbox/updates", get(api::updates))
        .route("/_sandbox/wait", get(api::wait))
        .route("/_sandbox/events", get(api::events))
        .route(
            "/_sandbox/faults",
            get(api::faults)
                .post(api::add_faults)
                .delete(api::clear_faults),
        )
        .route("/_sandbox/faults/{id}", delete(api::remove_fault))
        .fallback(api::not_found)
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(app))
}

/// What all connections share.
struct Server {
    router: Router,
    guard: Guard,
}

/// Accepts connections until the stop signal; returns the connections that are still open.
async fn accept(
    listener: &TcpListener,
    server: Server,
    closing: &watch::Receiver<bool>,
    stop: impl Future<Output = ()>,
) -> JoinSet<()> {
    let server = Arc::new(server);
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return connections,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_connection(stream, Arc::clone(&server), closing.clone()));
                }
                // Usually out of file descriptors; some are free again when a connection ends.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

/// Serves one connection until it ends, or until a handler resets it.
async fn serve_connection(
    stream: TcpStream,
    server: Arc<Server>,
    mut closing: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let control = Arc::new(Connection::default());
    let handle = Arc::clone(&control);
    let service = service_fn(move |request: Request<Incoming>| {
        respond(request, Arc::clone(&server), Arc::clone(&handle))
    });
    let mut connection = http1::Builder::new()
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut reset = pin!(control.reset.notified());
    let mut ending = pin!(closing.wait_for(|closing| *closing));
    let mut is_ending = false;
    let must_reset = poll_fn(|context| {
        if !is_ending && ending.as_mut().poll(context).is_ready() {
            is_ending = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if reset.as_mut().poll(context).is_ready() {
            return Poll::Ready(true);
        }
        Pin::new(&mut connection).poll(context).map(|_| false)
    })
    .await;
    if must_reset {
        // Closing a socket with zero linger sends a reset.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

async fn respond(
    request: Request<Incoming>,
    server: Arc<Server>,
    connection: Arc<Connection>,
) -> Result<super::response::Response, std::convert::Infallible> {
    let is_endpoint = request.uri().path().starts_with("/v2/");
    let mut answer = if let Some(refusal) = server.guard.refuse(&request) {
        refusal
    } else {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(connection);
        server.router.clone().call(request).await?
    };
    if !is_endpoint {
        guard::protect(answer.headers_mut());
    }
    Ok(answer)
}

/// Completes on SIGINT or SIGTERM, and, if requested, when standard input closes.
fn stop_signal(until_stdin_closes: bool) -> Result<impl Future<Output = ()>, String> {
    let stdin = Arc::new(Notify::new());
    if until_stdin_closes {
        let closed = Arc::clone(&stdin);
        let wait = move || {
            let mut bytes = [0; 1024];
            while io::stdin().read(&mut bytes).is_ok_and(|read| read > 0) {}
            closed.notify_one();
        };
        let thread = std::thread::Builder::new().name("sandbox-stdin".into());
        thread.spawn(wait).map_err(|error| error.to_string())?;
    }
    let mut signals = Signals::new().map_err(|error| error.to_string())?;
    Ok(async move {
        tokio::select! {
            () = signals.any() => {}
            () = stdin.notified() => {}
        }
    })
}

#[cfg(unix)]
struct Signals([tokio::signal::unix::Signal; 2]);

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        ]))
    }

    async fn any(&mut self) {
        let [interrupt, terminate] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn any(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

fn announce(arguments: &Arguments, url: &str, endpoint: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", json!({ "url": url, "endpoint": endpoint }))?;
        return out.flush();
    }
    let state = match &arguments.file {
        Some(path) => path.display().to_string(),
        None => "in memory (--file PATH stores them in a file)".to_owned(),
    };
    writeln!(
        out,
        "Katalys sandbox {}\n\n  Page      {url}/\n  Endpoint  {endpoint}\n  Orders    {state}\n\n\
         Set this in the environment of a client:\n\n  export KATALYS_ENDPOINT={endpoint}\n\n\
         Press Ctrl-C to stop.",
        env!("CARGO_PKG_VERSION")
    )?;
    out.flush()
}

//! Opens the listeners, and describes them in the ready line.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::certificates::Certificates;
use crate::connection;
use crate::print::Printer;
use crate::record::Records;
use crate::script::Scripts;
use crate::shared::{Listener, PROXIED_NAME, Role, Shared};
use crate::stats::Stats;
use crate::tunnels::Tunnels;

const PROXY_CREDENTIALS: &str = "user:pass";
const PROXY_AUTHORIZATION: &str = "Basic dXNlcjpwYXNz";
/// Maximum number of connections to fill the queue of a listener that accepts none.
const MAX_FILLING_CONNECTIONS: usize = 8;
const UNANSWERED_AFTER: Duration = Duration::from_millis(100);

/// Options of the receiver.
pub struct Options {
    /// The plain listener's port; 0 for any free one.
    pub port: u16,
    /// Directory of the CA files; by default a directory that is removed with the receiver.
    pub certs_dir: Option<PathBuf>,
    /// Whether to record requests for `/_recorded`.
    pub record: bool,
    /// Whether to print order updates on stdout.
    pub print: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            certs_dir: None,
            record: true,
            print: false,
        }
    }
}

/// A running receiver. Its threads run until the process exits.
pub struct Receiver {
    ready: Value,
    temporary_directory: Option<PathBuf>,
    /// Bound without listening, or with a full queue; kept open to reserve the ports.
    _held: Vec<Socket>,
    _filling: Vec<TcpStream>,
}

impl Receiver {
    /// Opens every listener; when this returns, all of them accept connections.
    ///
    /// # Errors
    /// When a port cannot be bound, or the certificates cannot be written.
    pub fn start(options: &Options) -> io::Result<Self> {
        let temporary_directory = options.certs_dir.is_none().then(temporary_directory);
        let directory = options.certs_dir.as_ref().or(temporary_directory.as_ref());
        let certificates = Certificates::create(directory.expect("one of the two is there"))?;
        let (listeners, sockets) = open_listeners(options.port, &certificates)?;
        let refused = refusing_socket()?;
        let (unanswered, filling) = unanswering_socket()?;
        let ready = ready_line(&listeners, &certificates, &refused, unanswered.as_ref())?;
        serve(options, listeners, sockets);
        let held = std::iter::once(refused).chain(unanswered).collect();
        Ok(Self {
            ready,
            temporary_directory,
            _held: held,
            _filling: filling,
        })
    }

    /// The ready line, as printed on stdout.
    pub fn ready(&self) -> &Value {
        &self.ready
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(directory) = &self.temporary_directory {
            // Remaining certificates of a test are harmless.
            let _ = fs::remove_dir_all(directory);
        }
    }
}

/// A unique name, since several receivers may run in one process.
fn temporary_directory() -> PathBuf {
    static STARTED: AtomicU64 = AtomicU64::new(0);
    let number = STARTED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    std::env::temp_dir().join(format!("katalys-receiver-{}-{number}", std::process::id()))
}

type Opened = (Vec<Arc<Listener>>, Vec<TcpListener>);

fn open_listeners(port: u16, certificates: &Certificates) -> io::Result<Opened> {
    let authorization = Some(PROXY_AUTHORIZATION);
    let wanted = [
        ("url", Role::Origin, None),
        ("control", Role::Origin, None),
        ("tls.good", Role::Origin, Some(&certificates.good)),
        ("tls.expired", Role::Origin, Some(&certificates.expired)),
        (
            "tls.wrong_host",
            Role::Origin,
            Some(&certificates.wrong_host),
        ),
        (
            "tls.self_signed",
            Role::Origin,
            Some(&certificates.self_signed),
        ),
        ("tls.mute", Role::Mute, None),
        (
            "proxy",
            Role::Proxy {
                authorization: None,
            },
            None,
        ),
        ("proxy_auth", Role::Proxy { authorization }, None),
    ];
    let mut listeners = Vec::new();
    let mut sockets = Vec::new();
    for (name, role, tls) in wanted {
        let port = if name == "url" { port } else { 0 };
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let port = socket.local_addr()?.port();
        let (tls, stats) = (tls.cloned(), Stats::default());
        listeners.push(Arc::new(Listener {
            name,
            role,
            tls,
            stats,
            port,
        }));
        sockets.push(socket);
    }
    Ok((listeners, sockets))
}

fn serve(options: &Options, listeners: Vec<Arc<Listener>>, sockets: Vec<TcpListener>) {
    let shared = Arc::new(Shared {
        listeners: listeners.clone(),
        records: options.record.then(Records::default),
        printer: options.print.then(Printer::default),
        scripts: Scripts::default(),
        tunnels: Tunnels::default(),
        connections: AtomicU64::new(0),
    });
    for (listener, socket) in listeners.into_iter().zip(sockets) {
        let shared = Arc::clone(&shared);
        thread::spawn(move || accept_all(&socket, &listener, &shared));
    }
}

fn accept_all(socket: &TcpListener, listener: &Arc<Listener>, shared: &Arc<Shared>) {
    loop {
        // Accepting fails if the client has left, or while there are no free file descriptors.
        let Ok((stream, peer)) = socket.accept() else {
            thread::yield_now();
            continue;
        };
        let number = connection::count(listener, shared);
        let (listener, shared) = (Arc::clone(listener), Arc::clone(shared));
        let serve = move || connection::serve(stream, peer, number, &listener, &shared);
        // If no thread can be created, the connection is closed.
        let _ = thread::Builder::new().spawn(serve);
    }
}

/// A bound socket that does not listen: connections are refused.
fn refusing_socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    Ok(socket)
}

/// A socket whose queue is full, so that connection attempts get no answer. `None` on systems that
/// behave differently.
fn unanswering_socket() -> io::Result<(Option<Socket>, Vec<TcpStream>)> {
    let socket = refusing_socket()?;
    socket.listen(0)?;
    let address = socket_address(&socket)?;
    let mut filling = Vec::new();
    while filling.len() < MAX_FILLING_CONNECTIONS {
        match TcpStream::connect_timeout(&address, UNANSWERED_AFTER) {
            Ok(stream) => filling.push(stream),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Ok((Some(socket), filling));
            }
            Err(_) => break,
        }
    }
    Ok((None, Vec::new()))
}

fn socket_address(socket: &Socket) -> io::Result<SocketAddr> {
    socket
        .local_addr()?
        .as_socket()
        .ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

fn ready_line(
    listeners: &[Arc<Listener>],
    certificates: &Certificates,
    refused: &Socket,
    unanswered: Option<&Socket>,
) -> io::Result<Value> {
    let port = |name| {
        listeners
            .iter()
            .find(|listener| listener.name == name)
            .map_or(0, |l| l.port)
    };
    let http = |port: u16| format!("http://127.0.0.1:{port}");
    let https = |name| format!("https://localhost:{}", port(name));
    let unanswered = match unanswered {
        Some(socket) => Some(http(socket_address(socket)?.port())),
        None => None,
    };
    Ok(json!({
        "url": http(port("url")),
        "control": http(port("control")),
        "tls": {
            "good": https("tls.good"),
            "expired": https("tls.expired"),
            "wrong_host": https("tls.wrong_host"),
            "self_signed": https("tls.self_signed"),
            "mute": https("tls.mute"),
            "not_tls": https("url"),
            "proxied": format!("https://{PROXIED_NAME}:{}", port("tls.good")),
        },
        "ca_file": certificates.ca_file,
        "self_signed_file": certificates.self_signed_file,
        "empty_ca_file": certificates.empty_ca_file,
        "proxied": format!("http://{PROXIED_NAME}:{}", port("url")),
        "proxy": http(port("proxy")),
        "proxy_auth": format!("http://{PROXY_CREDENTIALS}@127.0.0.1:{}", port("proxy_auth")),
        "proxy_auth_wrong": format!("http://user:wrong@127.0.0.1:{}", port("proxy_auth")),
        "proxy_auth_missing": http(port("proxy_auth")),
        "refused": http(socket_address(refused)?.port()),
        "unanswered": unanswered,
    }))
}

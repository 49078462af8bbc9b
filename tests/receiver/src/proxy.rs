//! The proxy listeners: CONNECT tunnels to loopback ports, and requests in absolute form.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::thread;

use crate::http::{Head, Incoming};
use crate::shared::{Listener, PROXIED_NAME, Role};
use crate::stream::Stream;
use crate::tunnels::Tunnels;

pub const AUTHENTICATION_REQUIRED: &[u8] = b"HTTP/1.1 407 Proxy Authentication Required\r\n\
    Proxy-Authenticate: Basic realm=\"katalys-receiver\"\r\nContent-Length: 0\r\n\
    Connection: close\r\n\r\n";
const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection Established\r\n\r\n";
const BAD_GATEWAY: &[u8] =
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// The path of a target in absolute form, which only proxies get.
pub fn path_of(target: &str) -> Option<&str> {
    let rest = target.strip_prefix("http://")?;
    Some(rest.find('/').map_or("/", |start| &rest[start..]))
}

/// Whether a request may pass this listener.
pub fn is_authorized(listener: &Listener, head: &Head) -> bool {
    match listener.role {
        Role::Proxy {
            authorization: Some(expected),
        } => head.proxy_authorization.as_deref() == Some(expected),
        _ => true,
    }
}

/// Responds to a CONNECT, and forwards bytes both ways until one side closes. `record` keeps the
/// request, with the status of its response.
pub fn connect(
    listener: &Listener,
    tunnels: &Tunnels,
    head: &Head,
    incoming: &Incoming,
    mut stream: Stream,
    record: impl Fn(&str),
) {
    let Role::Proxy { .. } = listener.role else {
        record("405");
        let _ = stream.write_all(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n");
        return stream.finish();
    };
    if !is_authorized(listener, head) {
        record("407");
        let _ = stream.write_all(AUTHENTICATION_REQUIRED);
        return stream.finish();
    }
    let Ok(origin) = connect_to_loopback(&head.target) else {
        record("502");
        let _ = stream.write_all(BAD_GATEWAY);
        return stream.finish();
    };
    record("200");
    let Ok(port) = origin.local_addr().map(|address| address.port()) else {
        return;
    };
    tunnels.open(port, listener.name);
    // Either side may end the tunnel, with or without an error.
    let _ = forward(incoming.pending(), stream, origin);
    tunnels.close(port);
}

/// Only this machine is reachable through the proxies.
fn connect_to_loopback(target: &str) -> io::Result<TcpStream> {
    let (host, port) = target.rsplit_once(':').ok_or(io::ErrorKind::InvalidInput)?;
    if !["localhost", "127.0.0.1", PROXIED_NAME].contains(&host) {
        return Err(io::ErrorKind::HostUnreachable.into());
    }
    let port: u16 = port.parse().map_err(io::Error::other)?;
    TcpStream::connect((Ipv4Addr::LOCALHOST, port))
}

fn forward(sent_early: &[u8], mut client: Stream, mut origin: TcpStream) -> io::Result<()> {
    origin.set_nodelay(true)?;
    client.write_all(ESTABLISHED)?;
    origin.write_all(sent_early)?;
    let client = client.socket();
    thread::scope(|scope| {
        scope.spawn(|| copy(client, &origin));
        copy(&origin, client);
    });
    Ok(())
}

fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    if io::copy(&mut from, &mut to).is_err() {
        // After a reset of one side, the other side need not be read.
        let _ = from.shutdown(Shutdown::Both);
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_reachable() {
        let kind = |target| connect_to_loopback(target).unwrap_err().kind();
        assert_eq!(kind("192.0.2.1:80"), io::ErrorKind::HostUnreachable);
        assert_eq!(kind("localhost"), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn the_path_of_the_absolute_form_is_found() {
        assert_eq!(path_of("http://127.0.0.1:80/run/a/204"), Some("/run/a/204"));
        assert_eq!(path_of("http://127.0.0.1"), Some("/"));
        assert_eq!(path_of("/run/a/204"), None);
    }
}

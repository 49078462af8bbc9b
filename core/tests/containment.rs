//! Containment of test runs: no client reaches another host, and none opens the outbox of the shop. There
//! is one test, since containment applies to the whole process.

use katalys_core::{Client, ErrorCode, Fields, Language, testing};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const OTHER_HOST: &str = "https://192.0.2.1/v2/_tr_offline";

/// Starts a sandbox that counts its requests; returns its endpoint.
fn sandbox() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let received = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&received);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let count = Arc::clone(&count);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                while let Some(length) = head(&mut reader) {
                    reader.read_exact(&mut vec![0; length]).unwrap();
                    count.fetch_add(1, Ordering::SeqCst);
                    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
                    reader.get_mut().write_all(answer).unwrap();
                }
            });
        }
    });
    (url, received)
}

fn head(reader: &mut impl BufRead) -> Option<usize> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            return Some(length);
        }
    }
}

fn client(options: Fields<'_>) -> Client {
    let options = options
        .set("site_id", "abcd.com")
        .set("endpoint", OTHER_HOST)
        .set("timeout", 5.0);
    Client::with_options(Language::Rust, &options).unwrap()
}

#[test]
fn a_contained_client_reaches_the_sandbox_or_nothing() {
    let folder = std::env::temp_dir().join(format!("katalys-contained-{}", std::process::id()));
    let shop = folder.join("shop");
    std::fs::create_dir_all(&shop).unwrap();
    std::fs::create_dir(folder.join("tests")).unwrap();
    let paid = || Fields::new().set("order_status", "paid");
    let earlier = client(Fields::new());

    testing::contain(folder.join("tests"), None);
    for contained in [&earlier, &client(Fields::new())] {
        let error = contained.update_order("1", paid()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ConfigInvalid);
        assert!(!error.is_retryable());
        assert!(
            error
                .message()
                .starts_with("tests must not reach 192.0.2.1")
        );
        assert_eq!(
            contained.probe().unwrap_err().code(),
            ErrorCode::ConfigInvalid
        );
    }

    let (first, first_count) = sandbox();
    let (second, second_count) = sandbox();
    testing::contain(folder.join("tests"), Some(&first));
    earlier.update_order("1", paid()).unwrap();
    testing::contain(folder.join("tests"), Some(&second));
    earlier.update_order("1", paid()).unwrap();
    assert_eq!(first_count.load(Ordering::SeqCst), 1);
    assert_eq!(second_count.load(Ordering::SeqCst), 1);

    let path = shop.join("katalys.db");
    let outbox = || Fields::new().set("outbox", path.to_str().unwrap().to_owned());
    let (one, other) = (client(outbox()), client(outbox()));
    one.enqueue_update("2", paid()).unwrap();
    assert_eq!(one.flush(Duration::from_secs(10)).unwrap(), 0);
    assert_eq!(
        other.stats().unwrap().delivered,
        1,
        "both use the same file"
    );
    assert_eq!(second_count.load(Ordering::SeqCst), 2);
    assert!(!path.exists());

    testing::contain(folder.join("tests"), Some("https://192.0.2.1/"));
    assert!(earlier.update_order("1", paid()).is_err());
    drop((one, other));
    std::fs::remove_dir_all(&folder).unwrap();
}

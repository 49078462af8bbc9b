//! A program that waits for a signal with `sigtimedwait` gets it, whatever threads the library has.
//!
//! The test harness is not used, since its threads would take the signal: this program runs itself as a
//! child process, which has only the threads of the library.
#![cfg_attr(target_os = "linux", allow(unsafe_code))]

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("--waiting") => linux::wait(),
        _ => linux::check(),
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use katalys_core::bridge::Bridge as _;
    use katalys_core::{Client, Fields, Language};
    use katalys_receiver::{Options, Receiver};
    use std::mem::MaybeUninit;
    use std::process::Command;
    use std::time::Duration;

    pub fn check() {
        let receiver = Receiver::start(&Options::default()).expect("a receiver");
        let url = receiver.ready()["url"].as_str().expect("a URL");
        let this = std::env::current_exe().expect("this program");
        let folder = std::env::temp_dir().join(format!("katalys-signals-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let status = Command::new(this)
            .arg("--waiting")
            .env("SIGNALS_ENDPOINT", format!("{url}/run/s/slow=200"))
            .env("SIGNALS_OUTBOX", folder.join("outbox.db"))
            .status();
        let _ = std::fs::remove_dir_all(&folder);
        let status = status.expect("a child process");
        assert!(status.success(), "{status}");
        println!("a signal reaches the thread that waits for it ... ok");
    }

    /// The child process: makes the library start each of its threads, and then waits.
    pub fn wait() {
        let from = |name: &str| std::env::var(name).expect(name);
        let mask = blocked();
        let endpoint = from("SIGNALS_ENDPOINT").replace("127.0.0.1", "localhost");
        let options = Fields::new()
            .set("site_id", "abcd.com")
            .set("endpoint", endpoint);
        let direct = Client::with_options(Language::Rust, &options).expect("a client");
        let with_outbox = options.clone().set("outbox", from("SIGNALS_OUTBOX"));
        let with_outbox = Client::with_options(Language::Rust, &with_outbox).expect("a client");
        with_outbox.observe(|_| {});
        with_outbox
            .enqueue_update("1001", [("order_status", "paid")])
            .expect("accepted");
        let update = direct.prepare(katalys_core::Call::Update, &"1001".into(), &Fields::new());
        direct
            .submit(update.expect("valid"), |_| {})
            .expect("submitted");
        with_outbox.flush(Duration::from_secs(10)).expect("flushed");
        let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        assert!(threads == 0 || threads >= 5, "only {threads} threads");
        assert_eq!(blocked(), mask, "the mask of this thread is unchanged");
        assert_eq!(raise_and_wait(libc::SIGTERM), libc::SIGTERM);
    }

    /// The signals that this thread blocks.
    fn blocked() -> Option<String> {
        let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
        let mask = status.lines().find(|line| line.starts_with("SigBlk"));
        mask.map(str::to_owned)
    }

    /// Sends the signal to the whole process, as `kill` does, and waits for it on this thread only.
    fn raise_and_wait(signal: i32) -> i32 {
        let mut mask = MaybeUninit::uninit();
        let limit = libc::timespec {
            tv_sec: 10,
            tv_nsec: 0,
        };
        // SAFETY: the mask is initialised before it is read, and no information is requested.
        unsafe {
            libc::sigemptyset(mask.as_mut_ptr());
            libc::sigaddset(mask.as_mut_ptr(), signal);
            libc::pthread_sigmask(libc::SIG_BLOCK, mask.as_ptr(), std::ptr::null_mut());
            libc::kill(libc::getpid(), signal);
            libc::sigtimedwait(mask.as_ptr(), std::ptr::null_mut(), &raw const limit)
        }
    }
}

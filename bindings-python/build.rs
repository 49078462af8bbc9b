//! Links the system's unwinder. Before Python 3.14, a daemon thread that comes back from a call
//! while the interpreter ends is ended by `pthread_exit`, which unwinds it with libgcc; a second
//! unwinder, such as the one that the zig linker brings along, crashes on libgcc's state.

use std::env;
use std::process::Command;

const LIBRARY: &str = "libgcc_s.so.1";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let gnu_linux = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux")
        && env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "gnu");
    let native = env::var("HOST") == env::var("TARGET");
    if !gnu_linux || !native {
        return;
    }
    let found = Command::new("cc")
        .arg(format!("-print-file-name={LIBRARY}"))
        .output();
    let path = found.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    match path {
        // A compiler that does not know the file repeats its bare name.
        Ok(path) if path.contains('/') => println!("cargo::rustc-link-arg-cdylib={path}"),
        _ => println!("cargo::warning={LIBRARY} was not found; daemon threads may crash at exit"),
    }
}

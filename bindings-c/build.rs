//! Tells the linker what makes the shared library safe to load and unload.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // A host may close the library while threads of a client still run in it: it stays.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libkatalys.so.0");
        // By which debuggers and package tools tell one build from another.
        println!("cargo:rustc-cdylib-link-arg=-Wl,--build-id=sha1");
    }
}

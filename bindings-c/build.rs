//! Sets the linker options that make the shared library safe to load and unload.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // The host may close the library while threads of a client run in it: it stays loaded.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libkatalys.so.0");
        // Debuggers and package tools identify a build by it.
        println!("cargo:rustc-cdylib-link-arg=-Wl,--build-id=sha1");
    }
}

//! The versions of the interface and of the library.

use std::ffi::c_char;

/// The version of this interface. It grows only when a program that was built with an earlier
/// header would no longer work.
#[unsafe(no_mangle)]
pub extern "C" fn katalys_abi_version() -> u32 {
    1
}

/// The version of the library, such as "0.1.0". It lives as long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn katalys_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

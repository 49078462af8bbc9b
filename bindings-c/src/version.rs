//! The versions of the interface and of the library.

use std::ffi::c_char;

/// The version of this interface. It increases only when a program that was built with an earlier
/// header no longer works.
#[unsafe(no_mangle)]
pub extern "C" fn katalys_abi_version() -> u32 {
    1
}

/// The version of the library, such as "0.1.0". The text is static.
#[unsafe(no_mangle)]
pub extern "C" fn katalys_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

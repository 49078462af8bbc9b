//! The numbers of the C interface.

use crate::text::{NOTICE, wrap};
use katalys_core::{ErrorCode, ErrorKind};
use std::fmt::Write;

pub(crate) fn codes() -> String {
    let mut out = format!("//! The stable numbers of what can go wrong.\n//!\n//! {NOTICE}\n\n");
    out += "use katalys_core::ErrorCode;\n\n";
    out += "/// What came of a call: 0, or the number of an error. The hundreds are its class.\n";
    out += "#[repr(C)]\n#[derive(Clone, Copy, Debug, PartialEq, Eq)]\n";
    out += "#[allow(non_camel_case_types, reason = \"the name C sees\")]\n";
    out += "pub enum katalys_code {\n    /// It worked.\n    KATALYS_OK = 0,\n";
    for code in ErrorCode::ALL {
        let kind = code.kind().as_str();
        let again = if code.is_retryable() {
            " The same call may succeed later."
        } else {
            ""
        };
        for line in wrap(&format!("`{kind}`: {}.{again}", code.explanation()), 90) {
            let _ = writeln!(out, "    /// {line}");
        }
        let _ = writeln!(out, "    {} = {},", constant(*code), *code as i32);
    }
    out += "}\n\nimpl From<ErrorCode> for katalys_code {\n    fn from(code: ErrorCode) -> Self {\n        match code {\n";
    for code in ErrorCode::ALL {
        let _ = writeln!(
            out,
            "            ErrorCode::{code:?} => Self::{},",
            constant(*code)
        );
    }
    out += "            // `ErrorCode` may grow; a code without a number is a mistake of this library.\n";
    out += "            _ => Self::KATALYS_INTERNAL,\n        }\n    }\n}\n";
    debug_assert!(
        ErrorCode::ALL
            .iter()
            .any(|code| code.kind() == ErrorKind::Internal)
    );
    out
}

fn constant(code: ErrorCode) -> String {
    format!("KATALYS_{}", code.as_str().to_uppercase())
}

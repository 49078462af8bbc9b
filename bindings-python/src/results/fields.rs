//! The fields of the native classes, as macros that hand them to another macro.
//!
//! Generated from the core's tables by `make generate`; change core/src/results.rs instead.

macro_rules! problem {
    ($class:ident! $more:tt) => {
        $class! {
            $more
            /// One thing that is wrong or suspicious, where it is, and how to fix it.
            Problem {
                /// Where it is, as the caller wrote it: `sale_amount`, `discounts[1].amount`.
                path: String,
                /// The rule that was broken.
                code: Word,
                /// A sentence that says how to fix it. Holds no customer data.
                message: String,
                /// `error` stops the call; `warning` is part of the result.
                severity: Word,
            }
        }
    };
}

macro_rules! receipt {
    ($class:ident! $more:tt) => {
        $class! {
            $more
            /// The endpoint has received the update.
            Receipt {
                /// Number of requests it took; 0 if another process delivered the update.
                attempts: u32,
                /// Time from the call to the answer, in seconds.
                elapsed: f64,
                /// Suspicious fields, and fields that were left out.
                warnings: Vec<Problem>,
            }
        }
    };
}

macro_rules! ticket {
    ($class:ident! $more:tt) => {
        $class! {
            $more
            /// The outbox has accepted the update: it will be sent even if this process ends.
            Ticket {
                /// Number of the update; numbers rise in the order of acceptance.
                id: i64,
                /// Suspicious fields, and fields that were left out.
                warnings: Vec<Problem>,
            }
        }
    };
}

macro_rules! validation {
    ($class:ident! $more:tt) => {
        $class! {
            $more
            /// The result of a check without sending.
            Validation {
                /// The exact bytes that would be sent; missing if there is an error among the problems.
                payload: Option<Vec<u8>>,
                /// Everything that was found, errors and warnings.
                problems: Vec<Problem>,
            }
        }
    };
}

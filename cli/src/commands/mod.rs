//! One module per command, apart from the sandbox.

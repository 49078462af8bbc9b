//! stub
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
/// Stub.
#[derive(clap::Args)]
pub struct Arguments {}
pub fn run(_arguments: &Arguments, _output: &Output) -> Result<Exit, Failure> {
    Ok(Exit::Done)
}

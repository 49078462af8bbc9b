//! The `katalys-receiver` command: prints its addresses as one line of JSON, runs until stdin closes.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use katalys_receiver::{Options, Receiver};

const HELP: &str = "\
katalys-receiver: the loopback server of the tests, the demo and the benches

  --port N         port of the plain listener (default: any free one)
  --certs-dir DIR  directory of the CA files (default: a directory that is removed at exit)
  --print          print each order update as received
  --no-record      record no requests; for benches
  --ignore-stdin   run until a signal, even if stdin is closed (as after a shell's `&`)
";

fn main() -> ExitCode {
    let (options, ignore_stdin) = match parse(std::env::args().skip(1)) {
        Ok(Some(parsed)) => parsed,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("katalys-receiver: {problem}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match run(&options, ignore_stdin) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("katalys-receiver: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `None` if help was requested.
fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<(Options, bool)>, String> {
    let mut options = Options::default();
    let mut ignore_stdin = false;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--port" => {
                let port = value()?;
                options.port = port.parse().map_err(|_| format!("not a port: {port}"))?;
            }
            "--certs-dir" => options.certs_dir = Some(value()?.into()),
            "--print" => options.print = true,
            "--no-record" => options.record = false,
            "--ignore-stdin" => ignore_stdin = true,
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("unknown argument: {argument}")),
        }
    }
    Ok(Some((options, ignore_stdin)))
}

fn run(options: &Options, ignore_stdin: bool) -> io::Result<()> {
    let receiver = Receiver::start(options)?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{}", receiver.ready())?;
    stdout.flush()?;
    if ignore_stdin {
        loop {
            std::thread::park();
        }
    }
    wait_for_end_of_stdin();
    Ok(())
}

/// The parent process holds the other end, so the server ends with it.
fn wait_for_end_of_stdin() {
    let mut discarded = [0; 256];
    let mut stdin = io::stdin().lock();
    loop {
        match stdin.read(&mut discarded) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
            _ => {}
        }
    }
}

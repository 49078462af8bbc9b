//! The shared scenarios: a client against a real server, with faults.
//!
//! The test harness is not used, since scenarios that set environment variables run in a child process:
//! this program, with the name of the scenario and the address of the server.

mod shared;

use katalys_core::bridge::Bridge as _;
use katalys_core::{Call, Client, Error, Fields, Language, Receipt, VERSION};
use katalys_receiver::{Options, Receiver};
use serde_json::{Map, Value as Json, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let file = shared::load("scenarios.json");
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, name, ready] = arguments.as_slice()
        && flag == "--only"
    {
        return only(
            &file,
            name,
            &serde_json::from_str(ready).expect("the ready line"),
        );
    }
    let receiver = Receiver::start(&Options::default()).expect("a receiver");
    let ready = receiver.ready().clone();
    let all: Vec<Json> = file["scenarios"].as_array().expect("scenarios").clone();
    let mine: Vec<&Json> = all
        .iter()
        .filter(|scenario| shared::is_for_rust(scenario))
        .collect();
    let (alone, together): (Vec<&Json>, Vec<&Json>) = mine
        .iter()
        .partition(|scenario| !scenario["expect"]["connections"].is_null());
    let failures = Mutex::new(Vec::new());
    let run_one = |scenario: &Json| {
        if let Err(reason) = isolated(&file, scenario, &ready) {
            failures
                .lock()
                .unwrap()
                .push(format!("{}: {reason}", scenario["name"]));
        }
    };
    for scenario in alone {
        run_one(scenario);
    }
    run_concurrently(&together, run_one);
    let failures = failures.into_inner().unwrap();
    for failure in &failures {
        println!("FAILED {failure}");
    }
    println!(
        "{} passed, {} failed",
        mine.len() - failures.len(),
        failures.len()
    );
    if failures.is_empty() && mine.len() > 100 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs several scenarios at a time, since most of their time is waiting.
fn run_concurrently(scenarios: &[&Json], run_one: impl Fn(&Json) + Sync) {
    const CONCURRENT: usize = 12;
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CONCURRENT {
            scope.spawn(|| {
                while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    run_one(scenario);
                }
            });
        }
    });
}

fn only(file: &Json, name: &str, ready: &Json) -> ExitCode {
    let scenarios = file["scenarios"].as_array().expect("scenarios");
    let scenario = scenarios
        .iter()
        .find(|scenario| scenario["name"] == name)
        .expect("its name");
    match run(file, scenario, ready) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            print!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a scenario in this process, or in a child process if it sets environment variables.
fn isolated(file: &Json, scenario: &Json, ready: &Json) -> Result<(), String> {
    let Some(variables) = scenario.get("env") else {
        return run(file, scenario, ready);
    };
    let name = scenario["name"].as_str().expect("a name");
    let this = std::env::current_exe().expect("this program");
    let mut child = Command::new(this);
    child.args(["--only", name, &ready.to_string()]);
    let variables = overlaid(&file["defaults"]["env"], variables);
    for (variable, value) in &variables {
        match value.as_str() {
            Some(text) => child.env(variable, fill(text, name, ready)),
            None => child.env_remove(variable),
        };
    }
    let output = child.output().expect("a child process");
    if output.status.success() {
        return Ok(());
    }
    let [output, errors] = [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b));
    Err(format!("{output}{errors}"))
}

fn run(file: &Json, scenario: &Json, ready: &Json) -> Result<(), String> {
    let name = scenario["name"].as_str().expect("a name");
    let defaults = &file["defaults"];
    let target = scenario["target"]
        .as_str()
        .or(defaults["target"].as_str())
        .expect("a target");
    let before = connections(ready, target);
    let started = Instant::now();
    let client = client(defaults, scenario, target, ready);
    let expect = &scenario["expect"];
    let calls = scenario
        .get("calls")
        .unwrap_or(&defaults["calls"])
        .as_array()
        .expect("calls");
    match client {
        Err(error) => judge(expect, Err(&error))?,
        Ok(client) => {
            for call in calls {
                let call = Json::Object(overlaid(&defaults["call"], call));
                let result = make_call(&client, &call);
                judge(call.get("expect").unwrap_or(expect), result.as_ref())?;
            }
            if calls.is_empty() && expect["constructed"] != true {
                return Err("the client could be built".into());
            }
        }
    }
    let took = started.elapsed().as_secs_f64();
    let bound = |key: &str| expect[key].as_f64();
    if bound("within_seconds").is_some_and(|most| took > most)
        || bound("at_least_seconds").is_some_and(|least| took < least)
    {
        return Err(format!("took {took:.2} s"));
    }
    let path = scenario
        .get("endpoint")
        .is_none()
        .then(|| path(scenario, name));
    check_requests(expect, name, path.as_deref(), ready)?;
    match expect.get("connections") {
        Some(count) => in_range("connections", connections(ready, target) - before, count),
        None => Ok(()),
    }
}

fn path(scenario: &Json, name: &str) -> String {
    let steps = scenario["steps"].as_array().map_or(&[][..], Vec::as_slice);
    let steps: Vec<&str> = steps
        .iter()
        .map(|step| step.as_str().expect("a step"))
        .collect();
    format!("/run/{name}/{}", steps.join("/"))
}

fn client(defaults: &Json, scenario: &Json, target: &str, ready: &Json) -> Result<Client, Error> {
    let name = scenario["name"].as_str().expect("a name");
    let mut options = overlaid(
        &defaults["options"],
        scenario.get("options").unwrap_or(&Json::Null),
    );
    match scenario.get("endpoint") {
        Some(Json::Null) => {}
        Some(endpoint) => drop(options.insert("endpoint".into(), endpoint.clone())),
        None => {
            let base = look_up(ready, target);
            let endpoint = format!("{}{}", base.as_str().expect("a URL"), path(scenario, name));
            options.insert("endpoint".into(), endpoint.into());
        }
    }
    let mut fields = Fields::new();
    for (option, value) in options {
        match value.as_str() {
            Some(text) => fields.push(option, fill(text, name, ready)),
            None => fields.push(option, shared::value(&value)),
        }
    }
    Client::with_options(Language::Rust, &fields)
}

fn make_call(client: &Client, call: &Json) -> Result<Receipt, Error> {
    let order_id = shared::value(&call["order_id"]);
    let kind = if call["call"] == "report" {
        Call::Report
    } else {
        Call::Update
    };
    client
        .prepare(kind, &order_id, &shared::fields(&call["fields"]))
        .and_then(|c| client.send(c))
}

fn judge(expect: &Json, result: Result<&Receipt, &Error>) -> Result<(), String> {
    match (result, expect["error"].as_str()) {
        (Ok(receipt), None) => match expect["receipt"].get("attempts") {
            Some(attempts) => in_range("attempts", u64::from(receipt.attempts), attempts),
            None => Ok(()),
        },
        (Ok(_), Some(error)) => Err(format!("succeeded instead of {error}")),
        (Err(error), None) => Err(format!("failed with {error:?}")),
        (Err(error), Some(class)) => judge_error(expect, error, class),
    }
}

fn judge_error(expect: &Json, error: &Error, class: &str) -> Result<(), String> {
    let retry_after = error.retry_after().map(|wait| wait.as_secs_f64());
    let actual = [
        ("code", json!(error.code().as_str())),
        ("status", json!(error.status())),
        ("retryable", json!(error.is_retryable())),
    ];
    if error.kind().as_str() != class {
        return Err(format!("{class} expected: {error:?}"));
    }
    for (key, value) in actual {
        if expect.get(key).is_some_and(|expected| *expected != value) {
            return Err(format!("{key} is {value}: {error:?}"));
        }
    }
    if let Some(expected) = expect.get("retry_after") {
        let seconds = retry_after.ok_or("no retry_after")?;
        float_in_range("retry_after", seconds, expected)?;
    }
    let plain = |text: &str| text.to_lowercase().replace('_', "");
    match expect["setting"].as_str() {
        Some(setting) if !plain(error.message()).contains(&plain(setting)) => {
            Err(format!("does not name {setting}: {error:?}"))
        }
        _ => Ok(()),
    }
}

fn check_requests(
    expect: &Json,
    run: &str,
    path: Option<&str>,
    ready: &Json,
) -> Result<(), String> {
    let Some(requests) = expect.get("requests") else {
        return Ok(());
    };
    let wanted = requests.as_u64().or(requests["min"].as_u64()).unwrap_or(0);
    let records = ask(ready, &format!("/_recorded/{run}?wait={wanted}&timeout=5"));
    let records = records.as_array().expect("records");
    in_range("requests", records.len() as u64, requests)?;
    let mut first_body = None;
    for record in records {
        let content_type = &record["headers"]["content-type"];
        if record["method"] != "POST" || content_type != "application/json" {
            return Err(format!("unexpected request {record}"));
        }
        if path.is_some_and(|path| record["path"] != path) {
            return Err(format!("unexpected path {}", record["path"]));
        }
        if record["via"] != expect["via"] {
            return Err(format!("came through {}", record["via"]));
        }
        for (name, value) in expect["headers"].as_object().into_iter().flatten() {
            let value = fill(value.as_str().expect("text"), run, ready);
            if record["headers"][name] != value {
                return Err(format!("header {name} is {}", record["headers"][name]));
            }
        }
        if expect
            .get("body")
            .is_some_and(|body| record["body"] != *body)
        {
            return Err(format!("body is {}", record["body"]));
        }
        if !record["body"].is_null() && expect["receipt"].is_object() {
            let first = first_body.get_or_insert_with(|| record["body"].clone());
            let one_call = expect.get("connections").is_none();
            if one_call && *first != record["body"] {
                return Err("an attempt had another body".into());
            }
        }
    }
    Ok(())
}

fn in_range(what: &str, actual: u64, expected: &Json) -> Result<(), String> {
    #[allow(clippy::cast_precision_loss, reason = "small")]
    float_in_range(what, actual as f64, expected)
}

fn float_in_range(what: &str, actual: f64, expected: &Json) -> Result<(), String> {
    let exact = expected.as_f64();
    let least = exact.or(expected["min"].as_f64()).unwrap_or(f64::MIN);
    let most = exact.or(expected["max"].as_f64()).unwrap_or(f64::MAX);
    if (least..=most).contains(&actual) {
        return Ok(());
    }
    Err(format!("{what}: {actual} instead of {expected}"))
}

fn connections(ready: &Json, target: &str) -> u64 {
    let stats = ask(ready, "/_stats");
    let pointer = &stats["listeners"][target]["connections"];
    pointer.as_u64().unwrap_or(0)
}

/// Sends a request to the control port of the receiver.
fn ask(ready: &Json, path: &str) -> Json {
    let address = ready["control"]
        .as_str()
        .expect("control")
        .trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("the receiver");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a limit");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}

fn overlaid(below: &Json, above: &Json) -> Map<String, Json> {
    let mut merged = below.as_object().cloned().unwrap_or_default();
    for (key, value) in above.as_object().into_iter().flatten() {
        merged.insert(key.clone(), value.clone());
    }
    merged
}

fn look_up<'r>(ready: &'r Json, key: &str) -> &'r Json {
    key.split('.').fold(ready, |place, part| &place[part])
}

fn fill(text: &str, name: &str, ready: &Json) -> String {
    let mut filled = text
        .replace("{id}", name)
        .replace("{language}", "rust")
        .replace("{version}", VERSION);
    while let (Some(start), Some(end)) = (filled.find('{'), filled.find('}')) {
        let Some(value) = look_up(ready, &filled[start + 1..end]).as_str() else {
            break;
        };
        filled = format!("{}{value}{}", &filled[..start], &filled[end + 1..]);
    }
    filled
}

//! Writes every file that is made from the core's tables, or with `--check` says which of them
//! are stale.
//!
//! `cargo run -p katalys-generate [-- --check]`

mod c;
mod node;
mod php;
mod python;
mod reference;
mod schema;
mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

/// A generated file: where it stands in the repository, and what makes its text.
struct Output {
    path: &'static str,
    text: fn() -> String,
}

const OUTPUTS: &[Output] = &[
    Output {
        path: "bindings-python/python/katalys/_fields.py",
        text: python::fields,
    },
    Output {
        path: "bindings-node/fields.d.ts",
        text: node::fields,
    },
    Output {
        path: "bindings-node/results.d.ts",
        text: node::results::types,
    },
    Output {
        path: "bindings-node/lib/errors.js",
        text: node::library::errors,
    },
    Output {
        path: "bindings-node/lib/results.js",
        text: node::library::results,
    },
    Output {
        path: "bindings-php/src/OrderFields.php",
        text: php::order_fields,
    },
    Output {
        path: "bindings-php/src/ClientOptions.php",
        text: php::client_options,
    },
    Output {
        path: "bindings-c/src/codes.rs",
        text: c::codes,
    },
    Output {
        path: "bindings-c/src/stats_fields.rs",
        text: c::stats,
    },
    Output {
        path: "bindings-c/src/dead_letters_fields.rs",
        text: c::dead_letters,
    },
    Output {
        path: "bindings-c/src/event_fields.rs",
        text: c::event,
    },
    Output {
        path: "bindings-c/src/result_fields.rs",
        text: c::result,
    },
    Output {
        path: "docs/reference.md",
        text: reference::page,
    },
    Output {
        path: "docs/order-update.schema.json",
        text: schema::schema,
    },
];

fn main() -> ExitCode {
    let check = std::env::args()
        .nth(1)
        .is_some_and(|argument| argument == "--check");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let outputs = OUTPUTS.iter();
    let outputs = outputs.map(|output| (output.path.to_owned(), (output.text)()));
    let results = outputs.chain(php::results::files());
    let results = results.map(|(path, text)| apply(&root, &path, &text, check));
    match results.collect::<io::Result<Vec<bool>>>() {
        Ok(fresh) if fresh.iter().all(|fresh| *fresh) => ExitCode::SUCCESS,
        Ok(_) => {
            eprintln!("run `make generate` and commit the result");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("cannot write a generated file: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes one file, or tells whether it is what it would be.
fn apply(root: &Path, name: &str, text: &str, check: bool) -> io::Result<bool> {
    let path: PathBuf = root.join(name);
    let fresh = fs::read_to_string(&path).is_ok_and(|current| current == text);
    if check {
        if !fresh {
            eprintln!("{name} is stale");
        }
        return Ok(fresh);
    }
    if !fresh {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, text)?;
        println!("wrote {name}");
    }
    Ok(true)
}

//! Writes every file that is made from the core's tables, and the regions of pages that are; with
//! `--check` it reports which of them are stale.
//!
//! `cargo run -p katalys-generate [-- --check]`

mod c;
mod node;
mod php;
mod python;
mod reference;
mod regions;
mod schema;
mod tables;
mod text;

use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

/// A generated file: its path in the repository, and the function that makes its text.
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
        path: "bindings-python/python/katalys/_results.py",
        text: python::result_classes,
    },
    Output {
        path: "bindings-python/python/katalys/_results.pyi",
        text: python::result_stubs,
    },
    Output {
        path: "bindings-python/python/katalys/_errors.py",
        text: python::error_classes,
    },
    Output {
        path: "bindings-python/src/results/fields.rs",
        text: python::native_fields,
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
    match apply_all(&root, check) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("run `make generate` and commit the result");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("cannot write a generated file: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes all files, or with `check` returns whether all are up to date.
fn apply_all(root: &Path, check: bool) -> io::Result<bool> {
    let mut all_fresh = true;
    for output in OUTPUTS {
        all_fresh &= apply(&root.join(output.path), &(output.text)(), check)?;
    }
    for (path, text) in php::results::files() {
        all_fresh &= apply(&root.join(path), &text, check)?;
    }
    for page in regions::pages(root)? {
        let text = regions::fill(&fs::read_to_string(&page)?)
            .map_err(|reason| io::Error::other(format!("{}: {reason}", page.display())))?;
        all_fresh &= apply(&page, &text, check)?;
    }
    Ok(all_fresh)
}

/// Writes one file, or returns whether it is up to date.
fn apply(path: &Path, text: &str, check: bool) -> io::Result<bool> {
    let fresh = fs::read_to_string(path).is_ok_and(|current| current == text);
    if check {
        if !fresh {
            eprintln!("{} is stale", path.display());
        }
        return Ok(fresh);
    }
    if !fresh {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)?;
        println!("wrote {}", path.display());
    }
    Ok(true)
}

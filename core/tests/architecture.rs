//! The dependencies between modules point one way: a module of the core uses only lower layers, and
//! no two modules of any crate use each other, directly or through others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};

/// The layers of the core, the lowest first. A module may use the layers before its own.
const LAYERS: &[&[&str]] = &[
    &["address", "interrupt", "language", "thread"],
    &["order", "testing"],
    &["table"],
    &["error"],
    &["config"],
    &["results"],
    &["queue", "delivery"],
    &["pipeline"],
    &["client"],
];

/// Every crate of the workspace with more than one module, by the folder of its sources.
const CRATES: &[&str] = &[
    "core/src",
    "bindings-c/src",
    "bindings-node/src",
    "bindings-python/src",
    "cli/src",
    "tools/generate/src",
    "tests/receiver/src",
];

#[test]
fn arrows_point_down() {
    let modules = read_crate(&root().join("core/src"));
    let layer_of = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    let mut wrong = String::new();
    for (module, uses) in &modules {
        for used in uses {
            let (from, to) = (&module[0], &used[0]);
            let is_down = from == to || layer_of(to) < layer_of(from);
            if layer_of(from).is_none() || !is_down {
                let _ = writeln!(wrong, "{} uses {}", module.join("::"), used.join("::"));
            }
        }
    }
    assert!(wrong.is_empty(), "these arrows do not point down:\n{wrong}");
}

#[test]
fn no_modules_use_each_other() {
    let mut circles = String::new();
    for sources in CRATES {
        let modules = read_crate(&root().join(sources));
        for (parent, graph) in siblings(&modules) {
            if let Some(circle) = circle_in(&graph) {
                let place = [&[(*sources).to_owned()], parent.as_slice()]
                    .concat()
                    .join("/");
                let _ = writeln!(circles, "{place}: {}", circle.join(" -> "));
            }
        }
    }
    assert!(circles.is_empty(), "modules use each other:\n{circles}");
}

/// The test itself: it sees every form of a path, and finds a circle.
#[test]
fn every_form_of_a_path_counts() {
    let source = "
        use crate::a::{self, b::{C, D as E}};
        use super::f;
        fn g() { crate::h::i(); }
        pub(super) fn k(_: super::l::M) {}
        #[cfg(test)] mod tests { use crate::never; }
    ";
    let module = ["x".to_owned(), "y".to_owned()];
    let paths = paths_of(source, &module);
    let expected = ["a", "a::b::C", "a::b::D", "h::i", "x::f", "x::l::M"];
    assert_eq!(
        paths.iter().map(|path| path.join("::")).collect::<Vec<_>>(),
        expected
    );
    let edge = |from: &str, to: &str| (from.to_owned(), BTreeSet::from([to.to_owned()]));
    let graph = BTreeMap::from([edge("a", "b"), edge("b", "c"), edge("c", "b")]);
    assert_eq!(circle_in(&graph).unwrap(), ["b", "c", "b"]);
    let graph = BTreeMap::from([edge("a", "b"), edge("b", "c")]);
    assert!(circle_in(&graph).is_none());
}

type Module = Vec<String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every module of a crate, with the modules that it uses.
fn read_crate(sources: &Path) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut files = BTreeMap::new();
    read_folder(sources, &mut Vec::new(), &mut files);
    assert!(files.len() > 1, "{} has modules", sources.display());
    let modules: BTreeSet<Module> = files.keys().cloned().collect();
    let reexports = reexports(&files, &modules);
    let mut result = BTreeMap::new();
    for (module, source) in files.iter().filter(|(module, _)| !module.is_empty()) {
        let used = paths_of(source, module).into_iter();
        let used = used.map(|path| resolve(&path, &modules, &reexports));
        let used = used.filter(|used| used != module && !used.is_empty());
        result.insert(module.clone(), used.collect());
    }
    result
}

fn read_folder(folder: &Path, module: &mut Module, files: &mut BTreeMap<Module, String>) {
    let entries = fs::read_dir(folder).expect("a folder of sources");
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if name == "tests" {
            continue;
        }
        if path.is_dir() {
            module.push(name.to_owned());
            read_folder(&path, module, files);
            module.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut module = module.clone();
            if !["mod", "lib", "main"].contains(&name) {
                module.push(name.to_owned());
            }
            files.insert(module, fs::read_to_string(&path).expect("a source file"));
        }
    }
}

/// Names that a module passes on from another one, such as those of `pub use`.
fn reexports(
    files: &BTreeMap<Module, String>,
    modules: &BTreeSet<Module>,
) -> BTreeMap<Module, Module> {
    let mut result = BTreeMap::new();
    for (module, source) in files {
        for path in paths_of(source, module) {
            let Some(name) = path.last() else { continue };
            let alias = [module.as_slice(), std::slice::from_ref(name)].concat();
            let place = longest_module(&path, modules);
            if place != *module {
                result.insert(alias, place);
            }
        }
    }
    result
}

/// The module in which the item of a path is defined.
fn resolve(
    path: &[String],
    modules: &BTreeSet<Module>,
    reexports: &BTreeMap<Module, Module>,
) -> Module {
    let place = longest_module(path, modules);
    let name = path.get(place.len());
    let alias = name.map(|name| [place.as_slice(), std::slice::from_ref(name)].concat());
    let defined = alias.and_then(|alias| reexports.get(&alias)).cloned();
    defined.unwrap_or(place)
}

fn longest_module(path: &[String], modules: &BTreeSet<Module>) -> Module {
    let lengths = (0..=path.len()).rev();
    let found = lengths.map(|length| path[..length].to_vec());
    found
        .into_iter()
        .find(|part| modules.contains(part))
        .unwrap_or_default()
}

/// For each folder, which of its modules use which; the folder's own file is `mod`.
fn siblings(
    modules: &BTreeMap<Module, BTreeSet<Module>>,
) -> BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> {
    let mut graphs: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (module, uses) in modules {
        for used in uses {
            let common = module.iter().zip(used).take_while(|(a, b)| a == b).count();
            let child = |module: &Module| module.get(common).cloned().unwrap_or("mod".to_owned());
            let graph = graphs.entry(module[..common].to_vec()).or_default();
            graph.entry(child(module)).or_default().insert(child(used));
        }
    }
    graphs
}

/// A shortest way from a module back to itself.
fn circle_in(graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    graph.keys().find_map(|start| {
        let mut ways = VecDeque::from([vec![start.clone()]]);
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop_front() {
            for next in graph.get(way.last()?).into_iter().flatten() {
                let longer = [way.as_slice(), std::slice::from_ref(next)].concat();
                if next == start {
                    return Some(longer);
                }
                if seen.insert(next.clone()) {
                    ways.push_back(longer);
                }
            }
        }
        None
    })
}

/// The paths to other modules in a source file, from the root of the crate.
fn paths_of(source: &str, module: &[String]) -> Vec<Module> {
    let file = syn::parse_file(source).expect("Rust");
    let children = file.items.iter().filter_map(|item| match item {
        syn::Item::Mod(child) if child.content.is_none() => Some(child.ident.to_string()),
        _ => None,
    });
    let mut paths = Paths {
        module: module.to_vec(),
        children: children.collect(),
        found: BTreeSet::new(),
    };
    paths.visit_file(&file);
    paths.found.into_iter().collect()
}

struct Paths {
    module: Module,
    children: BTreeSet<String>,
    found: BTreeSet<Module>,
}

impl Paths {
    fn add(&mut self, segments: &[String]) {
        let parent =
            |levels: usize| self.module[..self.module.len().saturating_sub(levels)].to_vec();
        let supers = segments
            .iter()
            .take_while(|segment| *segment == "super")
            .count();
        let absolute = match segments.first().map(String::as_str) {
            Some("crate") => segments[1..].to_vec(),
            Some("self") => [&self.module, &segments[1..]].concat(),
            Some("super") => [&parent(supers), &segments[supers..]].concat(),
            Some(first) if self.children.contains(first) => [&self.module, segments].concat(),
            _ => return,
        };
        self.found.insert(absolute);
    }

    fn add_tree(&mut self, tree: &syn::UseTree, before: &[String]) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&path.tree, &with(path.ident.to_string())),
            syn::UseTree::Name(name) if name.ident == "self" => self.add(before),
            syn::UseTree::Name(name) => self.add(&with(name.ident.to_string())),
            syn::UseTree::Rename(name) => self.add(&with(name.ident.to_string())),
            syn::UseTree::Glob(_) => self.add(before),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_tree(tree, before);
                }
            }
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let is_test = item.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute
                    .parse_args::<syn::Path>()
                    .is_ok_and(|path| path.is_ident("test"))
        });
        if !is_test {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&item.tree, &[]);
    }

    /// `pub(super)` says who may use an item, and uses nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string());
        self.add(&segments.collect::<Vec<_>>());
        visit::visit_path(self, path);
    }
}

//! "What may import what": reads the paths that every source file names and fails on one that its layer may not use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use regex::Regex;

/// What stands in `store/` and `deliver/` beside the stores and senders: the contracts, and what is written over them.
/// Any other file there is a store or a sender.
const CONTRACT: [&str; 27] = [
    "store",
    "store::breaker",
    "store::challenge",
    "store::deadline",
    "store::defaults",
    "store::fallback",
    "store::forward",
    "store::health",
    "store::item",
    "store::limit",
    "store::lua",
    "store::moving",
    "store::open",
    "store::rate",
    "store::sql",
    "store::users",
    "deliver",
    "deliver::address",
    "deliver::breaker",
    "deliver::carrier",
    "deliver::list",
    "deliver::mailbox",
    "deliver::open",
    "deliver::posting",
    "deliver::provider",
    "deliver::status",
    "deliver::text",
];

/// The tables that must name every store or sender.
const TABLES: [&str; 4] = ["store", "store::open", "deliver", "deliver::open"];

/// Breaches that are known and owed, with the file that has them. One that is mended has to leave this list.
const OWED: [(&str, &str); 0] = [];

/// The system's clock and generator, by any name.
const SYSTEM: [&str; 8] =
    ["SystemTime", "Instant", "SystemClock", "SystemRandom", "SysRng", "OsRng", "rand", "getrandom"];

#[test]
fn no_file_uses_what_its_layer_may_not() {
    let tree = Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(tree.files.len() > 40, "the sources were found");
    let found: Vec<_> = tree.files.keys().flat_map(|module| tree.breaches(module)).collect();
    let is_owed = |(module, path): &&(String, String)| OWED.iter().any(|owed| module == owed.0 && is_in(path, owed.1));
    let (owed, new): (Vec<_>, Vec<_>) = found.iter().partition(is_owed);
    assert!(new.is_empty(), "(file, what it must not use): {new:#?}");
    for (module, path) in OWED {
        assert!(owed.iter().any(|breach| breach.0 == module), "{module} no longer uses {path}: take it off the list");
    }
}

#[test]
fn every_kind_of_breach_is_found() {
    for (module, source, path) in [
        ("error", "use crate::store::Key;", "store::Key"),
        ("identifier::plan", "fn f() { super::super::client::g() }", "client::g"),
        ("config", "use crate::{error::Error, ops::{self, Codes}};", "ops::Codes"),
        ("time", "pub(crate) use crate::deliver as d; fn f() { d::text() }", "deliver::text"),
        ("brand_new", "use crate::testkit::FakeClock;", "testkit::FakeClock"),
        ("store::redis::link", "use crate::store::sqlite::SqliteStore;", "store::sqlite::SqliteStore"),
        ("store::redis", "use super::*; fn f() { memory::open() }", "store::memory::open"),
        ("store::redis", "use super::*; fn f(_: MemoryStore) {}", "MemoryStore"),
        ("store::brand_new", "use super::{limit, postgres};", "store::postgres"),
        ("store::redis", "use crate::ops::Codes;", "ops::Codes"),
        ("store::sql", "use super::sqlite::File;", "store::sqlite::File"),
        ("store::defaults", "use crate::client::Core;", "client::Core"),
        ("deliver::callback", "use crate::ops::Sent;", "ops::Sent"),
        ("deliver::callback", "use super::console::Console;", "deliver::console::Console"),
        ("deliver::list", "use super::twilio::Twilio;", "deliver::twilio::Twilio"),
        ("ops::code", "use crate::store::redis::Link;", "store::redis::Link"),
        ("ops::code", "use crate::store::MemoryStore;", "MemoryStore"),
        ("ops::code", "#[cfg(feature = \"redis\")] fn f() {}", "cfg(feature)"),
        ("ops::code", "fn f() { if cfg!(feature = \"redis\") {} }", "cfg(feature)"),
        ("ops::code", "fn f() { std::time::SystemTime::now(); }", "SystemTime"),
        ("ops::code", "use rand::Rng;", "rand"),
        ("ops::code", "use crate::store; fn f() { store::open(url) }", "store::open"),
        ("event", "use crate::deliver::open as start;", "deliver::open"),
        ("lib", "fn f() { crate::store::open() }", "store::open"),
    ] {
        let found = Tree::with(module, source).breaches(module);
        assert!(found.contains(&(module.into(), path.into())), "{module}: {source}\n{found:?}");
    }
}

#[test]
fn what_the_table_allows_is_not_reported() {
    for (module, source) in [
        ("store::redis", "use super::*; use super::sql; use ::redis::cmd; use crate::key::Key; use self::link::Link;"),
        ("store::redis::link", "use redis::aio::X; use crate::store::redis::Y; use super::script::Script;"),
        ("store::open", "fn f() { super::sqlite::SqliteStore::open() }"),
        ("store", "pub use memory::MemoryStore; pub(crate) use open::{StoreOptions, open};"),
        (
            "ops::code",
            "use crate::store::{Amend, Issue}; use crate::deliver::{self, Message}; fn f() { deliver::text() }",
        ),
        (
            "ops::code",
            "// crate::store::redis, SystemTime\n/* rand::Rng */ /// [`MemoryStore`]\nconst X: &str = \"SystemTime\";",
        ),
        ("ops::code", "fn f() {}\n#[cfg(test)]\nmod tests {\n use crate::store::MemoryStore; }"),
        ("client", "use crate::store::{self, StoreOptions}; fn f() { store::open(); crate::deliver::open() }"),
        ("client::builder", "use crate::store::{self, MemoryStore}; fn f() { store::open(); crate::deliver::open() }"),
        ("testkit", "use crate::store::{self, MemoryStore}; fn f() { store::open() }"),
        ("error", "use std::time::Instant; use regex::Regex; fn f() { url::Url::parse() }"),
    ] {
        assert_eq!(Tree::with(module, source).breaches(module), BTreeSet::new(), "{module}: {source}");
    }
}

/// Source files by module: `store::redis::link`; the root is `lib`.
struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    fn read(src: &Path) -> Self {
        let (mut files, mut folders) = (BTreeMap::new(), vec![src.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
                if entry.is_dir() {
                    folders.push(entry);
                } else if entry.extension().is_some_and(|e| e == "rs")
                    && entry.file_name().is_some_and(|n| n != "tests.rs")
                {
                    let name = entry.strip_prefix(src).expect("inside").with_extension("");
                    let name = name.to_str().expect("UTF-8").replace('/', "::");
                    let name = name.strip_suffix("::mod").unwrap_or(&name).to_owned();
                    files.insert(name, fs::read_to_string(&entry).expect("a source file"));
                }
            }
        }
        Self { files }
    }

    /// The real tree with one file replaced or added.
    fn with(module: &str, source: &str) -> Self {
        let mut tree = Self::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        tree.files.insert(module.to_owned(), source.to_owned());
        tree
    }

    fn breaches(&self, module: &str) -> BTreeSet<(String, String)> {
        let code = code(&self.files[module]);
        let paths = self.paths(module, &code).into_iter().filter(|path| !self.may_use(module, path));
        let mut found: BTreeSet<_> = paths.map(|path| (module.to_owned(), path)).collect();
        let mut forbidden: Vec<String> = Vec::new();
        if is_in(module, "ops") {
            forbidden.extend(SYSTEM.map(String::from));
            if matches("cfg!?[ (]*\\(?feature", &code).next().is_some() {
                found.insert((module.into(), "cfg(feature)".into()));
            }
        }
        // Types that came in by `use super::*` or through the contract's own names.
        if !TABLES.contains(&module) && module != "lib" && !puts_together(module) {
            let others =
                self.plugged().into_iter().filter(|plugged| is_in(plugged, "store") && !is_in(module, plugged));
            forbidden.extend(others.map(|store| capital(store.rsplit("::").next().unwrap_or_default()) + "Store"));
        }
        for word in forbidden {
            if matches(&format!("(?-u:\\b){word}(?-u:\\b)"), &code).next().is_some() {
                found.insert((module.to_owned(), word));
            }
        }
        found
    }

    /// Stores and senders: files of the two folders that are no part of their contracts.
    fn plugged(&self) -> Vec<&String> {
        let is_plugged = |m: &&String| {
            let own = CONTRACT.iter().any(|contract| is_in(m, contract) && contract.contains("::"));
            (m.starts_with("store::") || m.starts_with("deliver::")) && m.matches("::").count() == 1 && !own
        };
        self.files.keys().filter(is_plugged).collect()
    }

    fn may_use(&self, module: &str, path: &str) -> bool {
        let within = |layers: &[&str]| layers.iter().any(|layer| is_in(path, layer));
        let opens = ["store::open", "deliver::open"].contains(&path);
        if opens && module != "store" && !puts_together(module) {
            return false;
        }
        let other = || self.plugged().into_iter().any(|plugged| is_in(path, plugged) && !is_in(module, plugged));
        match module.split("::").next().unwrap_or_default() {
            "lib" | "client" | "testkit" => true,
            "store" | "deliver" if within(&["ops", "client", "testkit"]) => false,
            "store" | "deliver" => TABLES.contains(&module) || !other(),
            "ops" => !other() && !within(&["testkit"]),
            _ => !within(&["store", "deliver", "ops", "client", "testkit"]),
        }
    }

    /// Every path that `code` names, from the crate's root; those of other crates are left out.
    fn paths(&self, module: &str, code: &str) -> BTreeSet<String> {
        let (mut found, mut names, mut globs) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
        let mut trees = Vec::new();
        let statement = Regex::new(r"(?-u:\b)use\s+([^;]+);").expect("a pattern");
        let rest = statement.replace_all(code, |captures: &regex::Captures<'_>| {
            expand("", &captures[1], &mut trees);
            String::new()
        });
        for tree in trees {
            let (path, name) = tree.split_once(" as ").unwrap_or((&tree, tree.rsplit("::").next().unwrap_or_default()));
            let Some(path) = self.absolute(module, path.trim(), &BTreeMap::new(), &[]) else { continue };
            match path.strip_suffix("::*") {
                Some(base) => globs.push(base.to_owned()),
                None => _ = names.insert(name.trim().to_owned(), path.clone()),
            }
            found.insert(path);
        }
        for path in matches(r"(?:::)?[A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z_][A-Za-z0-9_]*)+", &rest) {
            found.extend(self.absolute(module, path, &names, &globs));
        }
        found
    }

    fn absolute(&self, module: &str, path: &str, names: &BTreeMap<String, String>, globs: &[String]) -> Option<String> {
        let (first, mut rest) = path.split_once("::").unwrap_or((path, ""));
        let mut base = match first {
            "crate" => return Some(rest.to_owned()),
            "" => return None,
            "self" | "super" if module == "lib" => String::new(),
            "self" => module.to_owned(),
            "super" => parent(module),
            name => {
                let here = if module == "lib" { Vec::new() } else { vec![module.to_owned()] };
                let child =
                    |base: &String| Some(format!("{base}::{name}")).filter(|path| self.files.contains_key(path));
                let own = || Some(name.to_owned()).filter(|name| module == "lib" && self.files.contains_key(name));
                names.get(name).cloned().or_else(own).or_else(|| here.iter().chain(globs).find_map(child))?
            }
        };
        while let Some(higher) = rest.strip_prefix("super::") {
            (base, rest) = (parent(&base), higher);
        }
        Some([base.as_str(), rest].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("::"))
    }
}

/// `a::{b, c::{self, d}}` as `a::b`, `a::c`, `a::c::d`.
fn expand(prefix: &str, tree: &str, into: &mut Vec<String>) {
    let tree = tree.trim();
    let Some(inner) = tree.find('{').filter(|_| tree.ends_with('}')) else {
        return into.push(format!("{prefix}{tree}").trim_end_matches("::self").to_owned());
    };
    let (prefix, inner) = (format!("{prefix}{}", &tree[..inner]), &tree[inner + 1..tree.len() - 1]);
    let (mut depth, mut start) = (0, 0);
    for (at, character) in inner.char_indices().chain([(inner.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !inner[start..at].trim().is_empty() {
                    expand(&prefix, &inner[start..at], into);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// Without comments, texts and unit tests.
fn code(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let noise = r##"(?s)//[^\n]*|/\*.*?\*/|r#".*?"#|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])'"##;
    Regex::new(noise).expect("a pattern").replace_all(source, " ").into_owned()
}

fn matches<'t>(pattern: &str, text: &'t str) -> impl Iterator<Item = &'t str> {
    let found: Vec<_> = Regex::new(pattern).expect("a pattern").find_iter(text).map(|found| found.as_str()).collect();
    found.into_iter()
}

fn is_in(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Whether it makes whole clients, and so opens stores and senders.
fn puts_together(module: &str) -> bool {
    is_in(module, "client") || is_in(module, "testkit")
}

fn parent(module: &str) -> String {
    module.rsplit_once("::").map_or(String::new(), |(parent, _)| parent.to_owned())
}

fn capital(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

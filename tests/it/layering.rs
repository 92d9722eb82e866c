//! The layering that `src/lib.rs` states: its table is read, and every path to another module is held against it.
//!
//! This sees text, not types: paths that begin with `crate`, `super`, `self` or a module's own child, outside of comments and of
//! what is compiled for tests alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module as the names on the way to it; the crate itself has none.
type Module = Vec<String>;
/// The paths that a module names, each as its parts.
type Paths = Vec<Vec<String>>;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The modules in the order of the table in `lib.rs`, from the lowest to the highest.
fn stated_order() -> Vec<String> {
    let text = fs::read_to_string(source().join("lib.rs")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("//! |"));
    let cells = rows.filter_map(|row| row.rsplit('|').nth(1));
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names.map(str::to_string).collect()
}

/// The text without comments and without what follows `#[cfg(test)]`, up to the end of that item. Relies on rustfmt: an item
/// ends with `;` on its first line, or with a brace as far to the left as it began.
fn code(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept += line;
            kept.push('\n');
            continue;
        }
        let item = lines.by_ref().find(|line| !line.trim_start().starts_with("#["));
        let item = item.unwrap_or_default();
        let indent = item.len() - item.trim_start().len();
        let end = format!("{}}}", &item[..indent]);
        if !item.ends_with(';') && !item.ends_with('}') {
            lines.by_ref().find(|line| line.starts_with(&end));
        }
    }
    kept
}

/// Every path in a piece of code: those of `use`, with their braces opened up, and those in the middle of it.
fn paths(code: &str) -> Paths {
    let mut found = Paths::new();
    for part in code.split("use ").skip(1) {
        if let Some((tree, _)) = part.split_once(';') {
            open_up(&[], tree, &mut found);
        }
    }
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let path: String = code[at..]
                .chars()
                .take_while(|letter| letter.is_alphanumeric() || matches!(letter, '_' | ':'))
                .collect();
            found.push(parts(&path));
        }
    }
    found
}

fn parts(path: &str) -> Vec<String> {
    let path = path.split(" as ").next().unwrap_or_default();
    let parts = path.split("::").map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_string).collect()
}

/// Adds the paths of a `use` tree that stands behind `prefix`.
fn open_up(prefix: &[String], tree: &str, found: &mut Paths) {
    let (start, group) = match tree.split_once('{') {
        Some((start, group)) => (start, group.trim_end().strip_suffix('}')),
        None => (tree, None),
    };
    let prefix = [prefix, &parts(start)].concat();
    let Some(group) = group else {
        found.push(prefix);
        return;
    };
    let mut depth = 0;
    let branches = group.split(|letter| {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        letter == ',' && depth == 0
    });
    for branch in branches.filter(|branch| !branch.trim().is_empty()) {
        open_up(&prefix, branch, found);
    }
}

/// The code of every module, those for tests left out.
fn sources() -> BTreeMap<Module, String> {
    let mut modules = BTreeMap::new();
    let mut test_modules = BTreeSet::new();
    let mut folders = vec![source()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let module = module_of(&path);
                let declared = text.split("#[cfg(test)]\nmod ").skip(1);
                for name in declared.filter_map(|rest| rest.split_once(';')).map(|(name, _)| name) {
                    test_modules.insert([module.clone(), vec![name.to_string()]].concat());
                }
                modules.insert(module, code(&text));
            }
        }
    }
    modules.retain(|module, _| (1..=module.len()).all(|parts| !test_modules.contains(&module[..parts])));
    modules
}

/// Which modules each module names.
struct Crate(BTreeMap<Module, Paths>);

impl Crate {
    fn read() -> Crate {
        let modules = sources().into_iter();
        Crate(modules.map(|(module, code)| (module, paths(&code))).collect())
    }

    fn is_module(&self, module: &[String]) -> bool {
        self.0.contains_key(module)
    }

    /// The module that a path leads to from `from`, where that is one of ours. A name that a module passes on leads to the
    /// child where it comes from.
    fn target(&self, from: &Module, path: &[String]) -> Option<Module> {
        let first = path.first()?;
        let (mut at, mut rest) = match first.as_str() {
            "crate" => (Module::new(), &path[1..]),
            "self" => (from.clone(), &path[1..]),
            "super" => (from.clone(), path),
            child if self.is_module(&[from.clone(), vec![child.to_string()]].concat()) => (from.clone(), path),
            _ => return None,
        };
        while rest.first().is_some_and(|name| name == "super") {
            at.pop();
            rest = &rest[1..];
        }
        while let Some((name, others)) = rest.split_first() {
            let child = [at.clone(), vec![name.clone()]].concat();
            if !self.is_module(&child) {
                break;
            }
            (at, rest) = (child, others);
        }
        let name = rest.first()?;
        let passed_on = self.0.get(&at)?.iter().find_map(|path| {
            let child = [at.clone(), vec![path.first()?.clone()]].concat();
            (path.last() == Some(name) && self.is_module(&child)).then_some(child)
        });
        Some(passed_on.unwrap_or(at))
    }

    /// Among the children of `parent`, which name which, counting what lies inside of them.
    fn edges(&self, parent: &[String]) -> BTreeMap<String, BTreeSet<String>> {
        let child_of = |module: &Module| module.starts_with(parent).then(|| module.get(parent.len()).cloned())?;
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (module, paths) in &self.0 {
            let Some(from) = child_of(module) else { continue };
            let to = edges.entry(from.clone()).or_default();
            to.extend(paths.iter().filter_map(|path| child_of(&self.target(module, path)?)));
            to.remove(&from);
        }
        edges
    }
}

/// The module that a file of `src` holds; `main.rs` and `lib.rs` are the crate itself.
fn module_of(file: &Path) -> Module {
    let path = file.strip_prefix(source()).unwrap().with_extension("");
    let mut names: Module = path.iter().map(|name| name.to_str().unwrap().to_string()).collect();
    if names.last().is_some_and(|name| matches!(name.as_str(), "mod" | "lib")) {
        names.pop();
    }
    names
}

/// A way from `start` back to itself, if there is one.
fn circle(edges: &BTreeMap<String, BTreeSet<String>>, start: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![start.to_string()]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in edges.get(way.last()?).into_iter().flatten() {
            if next == start {
                return Some(way);
            }
            if seen.insert(next.clone()) {
                ways.push([way.clone(), vec![next.clone()]].concat());
            }
        }
    }
    None
}

#[test]
fn modules_use_only_those_before_them_in_the_table() {
    let order = stated_order();
    let place = |name: &str| order.iter().position(|one| one == name);
    for (module, uses) in Crate::read().edges(&[]) {
        // The binary may use everything.
        if module == "main" {
            continue;
        }
        let own = place(&module).unwrap_or_else(|| panic!("`{module}` is missing in the table of src/lib.rs"));
        for used in uses {
            let used_at = place(&used).unwrap_or_else(|| panic!("`{used}` is missing in the table of src/lib.rs"));
            assert!(
                used_at < own,
                "`{module}` uses `{used}`, which the table of src/lib.rs puts above it"
            );
        }
    }
}

#[test]
fn modules_beside_each_other_do_not_use_each_other_in_circles() {
    let all = Crate::read();
    for parent in all.0.keys() {
        let edges = all.edges(parent);
        for start in edges.keys() {
            let found = circle(&edges, start).map(|way| way.join(" -> "));
            assert_eq!(found, None, "in {}", parent.join("::"));
        }
    }
}

#[test]
fn only_the_command_line_prints_exits_and_knows_its_crates() {
    for (module, code) in sources() {
        if module.first().is_some_and(|room| room == "cli" || room == "main") {
            continue;
        }
        for word in [
            "print!",
            "println!",
            "eprint!",
            "eprintln!",
            "process::exit",
            "clap",
            "indicatif",
            "comfy_table",
            "ctrlc",
            "terminal_size",
        ] {
            let named = code.split(|letter: char| !letter.is_alphanumeric() && !"_!:".contains(letter));
            let found = named
                .into_iter()
                .any(|name| name.ends_with(word) || name.starts_with(&format!("{word}::")));
            assert!(!found, "`{word}` in {}", module.join("::"));
        }
    }
}

#[test]
fn code_for_tests_and_comments_is_passed_over() {
    let text = "use a::B;\n// use c::D;\n#[cfg(test)]\nmod tests {\n    use e::F;\n}\nuse g::H;\n#[cfg(test)]\nmod i;\nuse j::K;\n";
    assert_eq!(code(text), "use a::B;\nuse g::H;\nuse j::K;\n");
}

#[test]
fn trees_are_opened_up() {
    let found = paths("use super::{a, b::{self, C}, d::E as F};\nlet g = crate::h::i(1);\n");
    let expected = ["super a", "super b self", "super b C", "super d E", "crate h i"];
    let found: BTreeSet<String> = found.iter().map(|path| path.join(" ")).collect();
    for path in expected {
        assert!(found.contains(path), "{path} in {found:?}");
    }
}

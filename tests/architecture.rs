//! The floor plan of `src/`: files use only what is on lower floors, and no files use each other
//! in a circle. The map in `src/lib.rs` shows the same floors.
//!
//! An edge of the graph is a path in a file's code (`crate::`, `super::`, or a `use`), followed
//! through re-exports to the file that defines the item. Unit tests are left out, and so are
//! paths inside of macro calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, UseTree, Visibility};

/// Top-level modules from the roof to the ground. A module uses only modules of later rows.
const FLOORS: &[&[&str]] = &[
    &["main"],
    &["render", "stitch", "jobs"],
    &["worker"],
    &["error"],
    &["batch", "cli", "storage"],
    &["aws", "blender", "ffmpeg", "image", "process", "telemetry"],
    &["http", "space"],
    &["request"],
    &["ending", "error_chain", "exit", "helpers", "placeholder", "printable", "provenance"],
];

/// A module or item, as its path from the crate's root.
type Name = Vec<String>;

/// What a module offers to others.
#[derive(Default)]
struct Module {
    /// Relative to `src/`.
    file: PathBuf,
    items: BTreeSet<String>,
    /// Names that it re-exports, and what they stand for.
    exports: BTreeMap<String, Name>,
    /// Modules whose items it re-exports all.
    globs: Vec<Name>,
    /// The paths that its code uses.
    uses: BTreeSet<Name>,
}

/// Collects the paths of one file.
struct Reader<'a> {
    here: &'a Name,
    module: Module,
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|ident| ident == "test")
    })
}

impl Reader<'_> {
    /// The path from the root; `None` for a path into another crate.
    fn absolute(&self, path: &[String]) -> Option<Name> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" | "render_worker" => Some(rest.to_vec()),
            "self" => Some([self.here, rest].concat()),
            "super" => {
                let ups = path.iter().take_while(|segment| *segment == "super").count();
                let parent = &self.here[..self.here.len().checked_sub(ups)?];
                Some([parent, &path[ups..]].concat())
            }
            _ => None,
        }
    }

    fn use_tree(&mut self, tree: &UseTree, before: &[String], exported: bool) {
        let mut path = before.to_vec();
        let mut leaf = |path: &[String], name: String| {
            // A child module's name may stand alone.
            let own = || Some([self.here, path].concat());
            let Some(target) = self.absolute(path).or_else(own) else { return };
            if exported {
                self.module.exports.insert(name, target);
            } else {
                self.module.exports.entry(name).or_insert_with(|| target.clone());
                self.module.uses.insert(target);
            }
        };
        match tree {
            UseTree::Path(inner) => {
                path.push(inner.ident.to_string());
                self.use_tree(&inner.tree, &path, exported);
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.use_tree(item, before, exported));
            }
            UseTree::Name(name) if name.ident == "self" => {
                let name = path.last().cloned().unwrap_or_default();
                leaf(&path, name);
            }
            UseTree::Name(name) => {
                path.push(name.ident.to_string());
                leaf(&path, name.ident.to_string());
            }
            UseTree::Rename(renamed) => {
                path.push(renamed.ident.to_string());
                leaf(&path, renamed.rename.to_string());
            }
            UseTree::Glob(_) => {
                if let Some(target) = self.absolute(&path) {
                    self.module.globs.push(target.clone());
                    if !exported {
                        self.module.uses.insert(target);
                    }
                }
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let exported = !matches!(item.vis, Visibility::Inherited);
        self.use_tree(&item.tree, &[], exported);
    }

    // `pub(in crate::storage)` uses nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if segments.len() > 1 && matches!(segments[0].as_str(), "crate" | "super") {
            self.module.uses.extend(self.absolute(&segments));
        }
        visit::visit_path(self, path);
    }
}

fn named(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

/// Reads every file of `src/`, but for those that are only compiled for tests.
fn read() -> BTreeMap<Name, Module> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = BTreeMap::new();
    let mut open =
        vec![(root.join("lib.rs"), Name::new()), (root.join("main.rs"), vec!["main".to_owned()])];
    while let Some((file, name)) = open.pop() {
        let text = fs::read_to_string(&file).unwrap();
        let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let short = file.strip_prefix(&root).unwrap().to_owned();
        let module = Module { file: short, ..Module::default() };
        let mut reader = Reader { here: &name, module };
        reader.visit_file(&parsed);
        let mut module = reader.module;
        for item in &parsed.items {
            module.items.extend(named(item));
            if let Item::Mod(child) = item
                && child.content.is_none()
                && !is_test(&child.attrs)
            {
                let folder = file.parent().unwrap();
                let child = child.ident.to_string();
                let beside = folder.join(format!("{child}.rs"));
                let below = folder.join(&child).join("mod.rs");
                let file = if beside.exists() { beside } else { below };
                open.push((file, [name.clone(), vec![child]].concat()));
            }
        }
        modules.insert(name, module);
    }
    modules
}

/// The module that defines what `path` names.
fn home(modules: &BTreeMap<Name, Module>, path: &[String], depth: usize) -> Option<Name> {
    assert!(depth < 20, "re-exports of {path:?} have no end");
    let length = (0..=path.len()).rev().find(|&length| modules.contains_key(&path[..length]))?;
    let (name, rest) = path.split_at(length);
    let module = &modules[name];
    let Some(item) = rest.first() else { return Some(name.to_vec()) };
    if module.items.contains(item) {
        return Some(name.to_vec());
    }
    if let Some(target) = module.exports.get(item) {
        return home(modules, target, depth + 1);
    }
    let all = module.globs.iter();
    let mut found = all.filter_map(|glob| {
        let path = [glob.clone(), rest.to_vec()].concat();
        home(modules, &path, depth + 1).filter(|home| modules[home].items.contains(item))
    });
    found.next()
}

/// Which files use which other ones.
fn graph() -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
    let modules = read();
    let file = |name: &Name| modules[name].file.clone();
    let mut graph: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
    for (name, module) in &modules {
        let used = module.uses.iter().filter_map(|path| home(&modules, path, 0));
        let used = used.filter(|home| home != name).map(|home| file(&home));
        graph.entry(module.file.clone()).or_default().extend(used);
    }
    graph
}

fn floor(file: &Path) -> usize {
    let top = file.components().next().unwrap().as_os_str().to_str().unwrap();
    let top = top.trim_end_matches(".rs");
    let floor = FLOORS.iter().position(|floor| floor.contains(&top));
    floor.unwrap_or_else(|| panic!("{top} is on no floor: add it to FLOORS and to the map"))
}

#[test]
fn no_file_uses_a_higher_floor_or_a_neighbour_on_its_own() {
    let mut arrows_up = Vec::new();
    let mut arrows = 0;
    for (file, used) in graph() {
        if file == Path::new("lib.rs") {
            continue;
        }
        let top = |file: &Path| file.components().next().map(|top| top.as_os_str().to_owned());
        for other in used.iter().filter(|other| top(other) != top(&file)) {
            arrows += 1;
            if floor(other) <= floor(&file) {
                arrows_up.push(format!("{} uses {}", file.display(), other.display()));
            }
        }
    }
    assert!(arrows > 300, "only {arrows} arrows were found: is this test still reading the code?");
    assert!(arrows_up.is_empty(), "{arrows_up:#?}");
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let graph = graph();
    let reach = |from: &PathBuf| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(file) = open.pop() {
            let next = graph.get(file).into_iter().flatten();
            open.extend(next.filter(|next| seen.insert((*next).clone())));
        }
        seen
    };
    let mut arrows = Vec::new();
    for (file, used) in &graph {
        let back = used.iter().filter(|used| reach(used).contains(file));
        arrows.extend(back.map(|used| format!("{} uses {}", file.display(), used.display())));
    }
    assert!(arrows.is_empty(), "{arrows:#?}");
}

#[test]
fn a_folder_has_about_ten_files() {
    let mut counts: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for file in graph().keys() {
        *counts.entry(file.parent().unwrap().to_owned()).or_default() += 1;
    }
    let crowded: Vec<_> = counts.iter().filter(|(_, count)| **count > 12).collect();
    assert!(crowded.is_empty(), "{crowded:?}");
}

//! The layers of `src/`: files use only modules of lower layers, and no files use each other in a
//! circle. The map in `src/lib.rs` shows the same layers.
//!
//! An edge of the dependency graph is a path in a file's code (`crate::`, `super::`, or a `use`),
//! followed through re-exports to the file that defines the item. Unit tests and paths inside of
//! macro calls are ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, UseTree, Visibility};

/// The top-level modules, highest layer first. A module uses only modules of later rows.
const LAYERS: &[&[&str]] = &[
    &["main"],
    &["run", "inspect", "doctor", "pack", "serve"],
    &["bake", "jobs", "render", "stitch"],
    &["watch"],
    &["notify", "worker"],
    &["error"],
    &["project"],
    &["batch", "cli", "cloudwatch", "storage"],
    &["archive", "aws", "blender", "ffmpeg", "image", "process", "telemetry"],
    &["http", "space", "container"],
    &["request"],
    &["ending", "error_chain", "exit", "helpers", "hex", "placeholder", "printable", "provenance"],
];

/// The path of a module or item from the crate's root.
type Name = Vec<String>;

/// The items and paths of a module.
#[derive(Default)]
struct Module {
    /// The file, relative to `src/`.
    file: PathBuf,
    items: BTreeSet<String>,
    /// Re-exported names and their targets.
    exports: BTreeMap<String, Name>,
    /// Modules that it re-exports with `*`.
    globs: Vec<Name>,
    /// The paths in its code.
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
    /// Returns the path from the root; `None` for a path into another crate.
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
            // The path may start with a child module.
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

    // The path in `pub(in crate::storage)` is no dependency.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if segments.len() > 1 && matches!(segments[0].as_str(), "crate" | "super") {
            self.module.uses.extend(self.absolute(&segments));
        }
        visit::visit_path(self, path);
    }
}

fn name_of(item: &Item) -> Option<String> {
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

/// Parses every file of `src/` except those that are compiled only for tests.
fn parse() -> BTreeMap<Name, Module> {
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
            module.items.extend(name_of(item));
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

/// Returns the module that defines the item at `path`.
fn defining_module(
    modules: &BTreeMap<Name, Module>,
    path: &[String],
    depth: usize,
) -> Option<Name> {
    assert!(depth < 20, "endless re-exports of {path:?}");
    let length = (0..=path.len()).rev().find(|&length| modules.contains_key(&path[..length]))?;
    let (name, rest) = path.split_at(length);
    let module = &modules[name];
    let Some(item) = rest.first() else { return Some(name.to_vec()) };
    if module.items.contains(item) {
        return Some(name.to_vec());
    }
    if let Some(target) = module.exports.get(item) {
        return defining_module(modules, target, depth + 1);
    }
    let all = module.globs.iter();
    let mut found = all.filter_map(|glob| {
        let path = [glob.clone(), rest.to_vec()].concat();
        defining_module(modules, &path, depth + 1)
            .filter(|module| modules[module].items.contains(item))
    });
    found.next()
}

/// Returns the files that each file uses.
fn graph() -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
    let modules = parse();
    let file = |name: &Name| modules[name].file.clone();
    let mut graph: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
    for (name, module) in &modules {
        let used = module.uses.iter().filter_map(|path| defining_module(&modules, path, 0));
        let used = used.filter(|used| used != name).map(|used| file(&used));
        graph.entry(module.file.clone()).or_default().extend(used);
    }
    graph
}

fn layer(file: &Path) -> usize {
    let top = file.components().next().unwrap().as_os_str().to_str().unwrap();
    let top = top.trim_end_matches(".rs");
    let layer = LAYERS.iter().position(|layer| layer.contains(&top));
    layer.unwrap_or_else(|| panic!("{top} is in no layer: add it to LAYERS and to src/lib.rs"))
}

#[test]
fn files_use_only_modules_of_lower_layers() {
    let mut violations = Vec::new();
    let mut edges = 0;
    for (file, used) in graph() {
        if file == Path::new("lib.rs") {
            continue;
        }
        let top = |file: &Path| file.components().next().map(|top| top.as_os_str().to_owned());
        for other in used.iter().filter(|other| top(other) != top(&file)) {
            edges += 1;
            if layer(other) <= layer(&file) {
                violations.push(format!("{} uses {}", file.display(), other.display()));
            }
        }
    }
    assert!(edges > 300, "only {edges} edges were found: does this test still read the code?");
    assert!(violations.is_empty(), "{violations:#?}");
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
    let mut circles = Vec::new();
    for (file, used) in &graph {
        let back = used.iter().filter(|used| reach(used).contains(file));
        circles.extend(back.map(|used| format!("{} uses {}", file.display(), used.display())));
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn no_folder_has_more_than_twelve_files() {
    let mut counts: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for file in graph().keys() {
        *counts.entry(file.parent().unwrap().to_owned()).or_default() += 1;
    }
    let crowded: Vec<_> = counts.iter().filter(|(_, count)| **count > 12).collect();
    assert!(crowded.is_empty(), "{crowded:?}");
}

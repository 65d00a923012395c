//! What is published: documents, schemas, flags, exit codes, the static program.

mod architecture; // src/: the layers of its modules, and no circular imports
mod config_file; // a file with settings, below variables and above defaults
mod docs; // README.md and docs/: every command is run as written, links, contents, JSON
mod doctor; // what a machine has and what it lacks
mod exit_codes; // the same exit codes in the reference, in --help and in the code
mod provenance; // the versions of worker and image
mod schemas; // the JSON Schemas of documents that programs read
mod static_binary; // the static build in nearly empty root file systems
mod usage; // flags and variables: help, version, invalid values

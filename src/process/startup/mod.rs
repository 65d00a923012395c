//! What this process sets up for itself before anything else: its descriptors, its signals, its
//! protection from other processes, and its resource limits.

pub mod descriptors;
pub mod resources;
pub mod signals;
pub mod undumpable;

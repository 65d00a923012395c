//! What the process puts in order for itself before it does anything else: its descriptors,
//! its signals, what other processes may read of it, and the resources it was granted.

pub mod descriptors;
pub mod resources;
pub mod signals;
pub mod undumpable;

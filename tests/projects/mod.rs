//! Scenes that travel with their files.

mod extras; // the configuration of colours and caches of fluids in a project
mod pack; // projects: scenes with their files, packed and rendered elsewhere
mod pack_again; // packing again reads and sends only what has changed
mod prefix; // a project that lies on S3 as it is

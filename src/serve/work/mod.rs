//! The work that the server does in the background: it makes one video after the other, each with this
//! very program as a child process. What goes wrong there stays there, and its memory is its own.

pub mod queue;
mod stitching;

//! What people and programs are told while a job runs, and when it fails.

mod logs; // the log in both formats, whatever Blender prints
mod metrics; // the figures of an attempt for CloudWatch
mod mistakes; // mistakes of a person at a terminal: what the message names, and that nothing is left
mod notify; // a webhook that is told of the end of a run or a wait
mod terminal; // the progress bar and colours on a terminal

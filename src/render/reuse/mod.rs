//! Which frames need not be rendered, because the output has them, made from the same.

pub mod external;
pub mod external_state;
pub mod fingerprint_task;
pub mod identity;
pub mod inputs;
pub mod plan;

//! How large an image may be.

/// The most pixels on a side: the largest resolution that Blender can be set to.
pub const MAX_SIDE: u32 = 65_536;

/// The most bytes that a decoded image can have. Fuzzers would find little but large images.
pub const MAX_DECODED: u64 = if cfg!(fuzzing) { 4 << 20 } else { 4 << 30 };

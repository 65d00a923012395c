//! How large an image may be.

/// The most pixels on a side: the largest resolution that Blender can be set to.
pub const MAX_SIDE: u32 = 65_536;

/// The most bytes that a decoded image can have.
pub const MAX_DECODED: u64 = 4 << 30;

//! Frames: which are rendered and how, and what happens when Blender or storage fails.

mod backlog; // frames that cannot be stored yet: rendering continues, pauses or ends
mod blender_command; // the image's command `blender` treats arguments as Blender does
mod blender_failures; // failures of Blender: exit codes, messages, saved frames
mod devices; // CPU and GPUs, and the cache of what is compiled for them
mod frames; // frames from a real Blender
mod order; // which frames are rendered first, and what that changes: nothing else
mod overrides; // settings of the scene that a job replaces, and their effect on pictures
mod processes; // several Blenders side by side
mod resume; // another attempt renders only missing and outdated frames
mod retries; // frames at which Blender fails are retried, then skipped
mod run; // a whole scene on one machine: frames and video, previews, overrides
mod scene_list; // frames are stored even if the list of the scene's files cannot be

//! Videos: from frames, or from any pictures.

mod audio; // the sound of a scene, mixed by Blender
mod codecs; // codecs, and sound in sync with the pictures
mod ffmpeg_failures; // FFmpeg and FFprobe that are missing, fail, lie or hang
mod frame_rate; // the frame rate of the video
mod pictures; // how pictures of any size, depth and alpha look in a video
mod previews; // previews of frames and the contact sheet
mod stitch; // frames to video: selection, order, appearance, encoding
mod view; // what Blender's display transform does, kept with frames of linear light

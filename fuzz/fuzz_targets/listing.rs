//! Names from a listing, one on each line: which are frames, and the sequence that they form.
#![no_main]

use std::collections::BTreeSet;
use std::time::SystemTime;

use libfuzzer_sys::fuzz_target;
use render_worker::request::{
    ByteSize, Codec, FrameFile, Location, Look, OutputName, PictureOrder, PixelFormat,
    SequenceSelection, Sound, StitchJob, VideoSettings,
};
use render_worker::stitch::Sequence;
use render_worker::storage::Entry;

fuzz_target!(|text: &str| {
    let names: BTreeSet<&str> = text.lines().collect();
    for frame in names.iter().filter_map(|name| FrameFile::parse(name)) {
        let own = FrameFile::name(frame.number, frame.format);
        let again = FrameFile::parse(&own).expect("a valid name");
        assert_eq!((again.number, again.format), (frame.number, frame.format));
        // Whatever a listing contains, a frame is written into its own folder.
        assert!(!own.contains('/'));
    }
    let entry =
        |name: &&str| Entry { name: (*name).to_owned(), size: 1, modified: SystemTime::UNIX_EPOCH };
    let folder = Location::Local("frames".into());
    for order in [PictureOrder::Number, PictureOrder::Name, PictureOrder::Time] {
        for allow_gaps in [false, true] {
            let entries = names.iter().map(entry).collect();
            let job = StitchJob {
                input: folder.clone(),
                images: None,
                output: folder.clone(),
                frames: SequenceSelection::EVERYTHING,
                order: Some(order),
                is_any_folder: false,
                allow_gaps,
                max_prefetch: ByteSize::gib(1),
                previews: false,
                video: VideoSettings {
                    codec: Codec::H264,
                    pixels: PixelFormat::Yuv420p,
                    crf: None,
                    preset: None,
                    fps: None,
                    name: OutputName::default_for(Codec::H264),
                    look: Look::default(),
                    sound: Sound::default(),
                },
            };
            let arranged = Sequence::arrange(&folder, entries, &job, order, None);
            let Ok(sequence) = arranged else { continue };
            assert!(sequence.slots.is_sorted_by(|a, b| a.number < b.number));
            assert!(allow_gaps || sequence.slots.iter().all(|slot| slot.file.is_some()));
        }
    }
});

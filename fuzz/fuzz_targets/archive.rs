//! Archives that are uploaded or rendered: listing them and unpacking them.
#![no_main]

use std::fs::File;
use std::io::{self, Read, Write as _};

use libfuzzer_sys::fuzz_target;
use nix::sys::memfd::{MFdFlags, memfd_create};
use render_worker::archive::{Archive, ArchiveFormat};
use render_worker::request::ProjectPath;

/// The most files of an archive.
const MAX_FILES: usize = 1000;

fuzz_target!(|bytes: &[u8]| {
    use ArchiveFormat::{Tar, TarGz, TarZst, Zip};
    for format in [Zip, Tar, TarGz, TarZst] {
        read(bytes, format);
    }
});

fn read(bytes: &[u8], format: ArchiveFormat) {
    let memory = memfd_create("archive", MFdFlags::empty()).expect("a file in memory");
    let mut file = File::from(memory);
    file.write_all(bytes).expect("it has room");
    let Ok(archive) = Archive::new(file, format) else { return };
    let Ok(listed) = archive.list(MAX_FILES) else { return };
    assert!(listed.len() <= MAX_FILES);
    let mut files = listed.iter();
    // What is unpacked is what was listed, and no more than that.
    drop(archive.unpack(|file, content| {
        assert_eq!(files.next(), Some(file));
        let read = io::copy(&mut content.take(file.size + 1), &mut io::sink());
        assert!(read.is_err() || read.is_ok_and(|read| read <= file.size));
        if let Ok(path) = ProjectPath::new(&file.path) {
            assert!(!path.as_str().split('/').any(|part| part == ".."));
        }
        Ok(())
    }));
}

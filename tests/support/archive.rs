//! Zip archives without compression, with any names in them.

use std::fs;
use std::path::Path;

/// Writes an archive with these names and contents, in a folder that may not exist yet.
pub fn archive(path: &Path, files: &[(&str, &str)]) {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let offset = length(bytes.len());
        let size = length(content.len());
        // What the file's own header and its entry in the directory have in common: version, no
        // flags, no compression, the first day of 1980, checksum and sizes.
        let mut header = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        header.extend(crc32fast::hash(content.as_bytes()).to_le_bytes());
        header.extend([size, size, length(name.len())].map(u32::to_le_bytes).concat());
        // The length of the name has two bytes.
        header.truncate(header.len() - 2);
        bytes.extend(
            [b"PK\x03\x04", &header[..], &[0; 2], name.as_bytes(), content.as_bytes()].concat(),
        );
        directory.extend([b"PK\x01\x02\x14\x00", &header[..], &[0; 12]].concat());
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let count = u16::try_from(files.len()).expect("few files").to_le_bytes();
    let (start, size) = (length(bytes.len()), length(directory.len()));
    bytes.extend(directory);
    bytes.extend([b"PK\x05\x06\0\0\0\0", &count[..], &count[..]].concat());
    bytes.extend([size, start].map(u32::to_le_bytes).concat());
    bytes.extend([0; 2]);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a writable folder");
    fs::write(path, bytes).expect("a writable folder");
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a small archive")
}

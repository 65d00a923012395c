//! Zip archives of pictures, or of a scene with its files. Everything is checked before anything is
//! written: what the archive says about itself must fit, and what is unpacked must be what it said.
//!
//! Memory does not grow with the size of the archive.
//! The crate `zip` (9.8) reserves memory for as many files as the archive claims to have, before it
//! reads one of them: a large and empty archive ends the whole server.

mod format;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::SystemTime;

use flate2::read::DeflateDecoder;

use super::incoming::{MAX_ARCHIVE, MAX_PICTURE, MAX_PICTURES, Partial};
use super::names::{FileName, ProjectPath};
use crate::ending::Size;
use crate::serve::problem::{Problem, ProblemKind};
use format::{Kind, Method, Record, damaged, directory, number, refuse};

/// The largest list of an archive's content in bytes.
const MAX_DIRECTORY: u64 = 64 << 20;

/// How many times larger than the archive its content may be, beyond [`FREE_CONTENT`]. Pictures are
/// compressed already; empty ones shrink to a hundredth.
const MAX_RATIO: u64 = 200;

/// The content that is accepted whatever the ratio is, in bytes.
const FREE_CONTENT: u64 = 256 << 20;

/// What is taken out of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Pictures. Their names become names in one folder, never paths.
    Pictures,
    /// All files, in their folders. There must be a scene file among them.
    Project,
}

/// The content of an archive.
#[derive(Debug)]
pub struct Archive {
    file: File,
    /// The files that are wanted.
    pub entries: Vec<Entry>,
    /// How many other files there are.
    pub others: usize,
}

/// A file in an archive.
#[derive(Debug)]
pub struct Entry {
    /// Where it goes.
    pub path: ProjectPath,
    /// Its size in bytes, unpacked.
    pub size: u64,
    /// When it was last changed, if that is known.
    pub modified: Option<SystemTime>,
    packed: u64,
    offset: u64,
    crc: u32,
    is_deflated: bool,
}

impl Archive {
    /// Opens an archive, and checks everything that it says about its content.
    ///
    /// # Errors
    /// If it is no archive, is too large, or has files that lead elsewhere.
    pub fn open(file: File, wanted: Wanted) -> Result<Self, Problem> {
        let length = file.metadata().map_err(damaged)?.len();
        let (count, size, offset) = directory(&file, length)?;
        if size > MAX_DIRECTORY || offset.checked_add(size).is_none_or(|end| end > length) {
            return Err(refuse("its list of files is damaged or too long"));
        }
        let mut reader = BufReader::new(&file);
        reader.seek(SeekFrom::Start(offset)).map_err(damaged)?;
        let mut reader = reader.take(size);
        let (mut records, mut others) = (Vec::new(), 0);
        for _ in 0..count {
            let record = Record::read(&mut reader)?;
            let is_hidden = record
                .path
                .split('/')
                .any(|part| part.starts_with('.') && ![".", ".."].contains(&part))
                || record.path.starts_with("__MACOSX/");
            match record.kind {
                Kind::Folder => continue,
                _ if is_hidden => continue,
                Kind::Other => {
                    return Err(refuse(format_args!("{} is a link or a device", record.path)));
                }
                Kind::File => {}
            }
            record.check(wanted)?;
            match wanted.takes(&record.path) {
                Ok(()) => records.push(record),
                Err(problem) if problem.kind == ProblemKind::Unsupported => others += 1,
                Err(problem) => return Err(problem),
            }
            if records.len() > MAX_PICTURES {
                return Err(refuse(format_args!("it has more than {MAX_PICTURES} files")));
            }
        }
        let total = records.iter().fold(0u64, |sum, record| sum.saturating_add(record.size));
        if total > MAX_ARCHIVE || total > FREE_CONTENT.max(length.saturating_mul(MAX_RATIO)) {
            let message = "the content of the archive is too large; send the files as they are";
            return Err(Problem::new(ProblemKind::TooLarge, message));
        }
        let top = common_folder(&records).len();
        let entries = records.into_iter().map(|record| record.entry(wanted, top));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let mut paths = BTreeSet::new();
        if let Some(twice) = entries.iter().find(|entry| !paths.insert(&entry.path)) {
            return Err(refuse(format_args!("it has {} twice", twice.path)));
        }
        match wanted {
            Wanted::Pictures if entries.is_empty() => return Err(refuse("it has no pictures")),
            Wanted::Project if !entries.iter().any(|entry| entry.path.is_scene()) => {
                return Err(refuse("it has no .blend file"));
            }
            Wanted::Pictures | Wanted::Project => {}
        }
        Ok(Self { file, entries, others })
    }

    /// The size of all wanted files in bytes, unpacked.
    pub fn size(&self) -> u64 {
        self.entries.iter().map(|entry| entry.size).sum()
    }

    /// Unpacks a file to its place in `folder`. Whether there was none of its name.
    ///
    /// # Errors
    /// If it is damaged, or cannot be written.
    pub fn unpack(&self, entry: &Entry, folder: &Path) -> Result<bool, Problem> {
        let mut header = [0; 30];
        self.file.read_exact_at(&mut header, entry.offset).map_err(damaged)?;
        if number(&header, 0, 4) != 0x0403_4b50 {
            return Err(refuse(format_args!("{} is not where it should be", entry.path)));
        }
        let start = entry.offset + 30 + number(&header, 26, 2) + number(&header, 28, 2);
        let mut packed = &self.file;
        packed.seek(SeekFrom::Start(start)).map_err(damaged)?;
        let packed = packed.take(entry.packed);
        let cannot = |error: io::Error| match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                refuse(format_args!("{} is damaged", entry.path))
            }
            _ => Problem::io("unpack the archive", &error),
        };
        let folder = entry.path.folder(folder);
        fs::create_dir_all(&folder).map_err(cannot)?;
        let partial = Partial::new(&folder).map_err(cannot)?;
        let file = File::create_new(partial.path()).map_err(cannot)?;
        let mut copy = Checked { file, crc: crc32fast::Hasher::new(), written: 0 };
        // One byte more shows that the archive was wrong about the size.
        let limit = entry.size + 1;
        if entry.is_deflated {
            io::copy(&mut DeflateDecoder::new(packed).take(limit), &mut copy).map_err(cannot)?;
        } else {
            io::copy(&mut packed.take(limit), &mut copy).map_err(cannot)?;
        }
        if copy.written != entry.size || copy.crc.finalize() != entry.crc {
            return Err(refuse(format_args!("{} is damaged", entry.path)));
        }
        partial.keep(entry.path.name(), entry.modified)
    }
}

/// Writes a file, and computes its checksum.
struct Checked {
    file: File,
    crc: crc32fast::Hasher,
    written: u64,
}

impl io::Write for Checked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.file.write(bytes)?;
        self.crc.update(bytes.get(..length).unwrap_or_default());
        self.written += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Wanted {
    /// Whether a file is one that is wanted.
    fn takes(self, path: &str) -> Result<(), Problem> {
        match self {
            Self::Pictures => {
                FileName::of_picture(path.rsplit('/').next().unwrap_or_default()).map(drop)
            }
            Self::Project => Ok(()),
        }
    }

    /// The largest file in bytes.
    fn largest(self) -> u64 {
        match self {
            Self::Pictures => MAX_PICTURE,
            Self::Project => MAX_ARCHIVE,
        }
    }
}

impl Record {
    fn check(&self, wanted: Wanted) -> Result<(), Problem> {
        let path = &self.path;
        if path.starts_with('/') || path.split('/').any(|part| part == "..") {
            return Err(refuse(format_args!("{path} leads out of it")));
        }
        match self.method {
            Method::Stored | Method::Deflated => {}
            Method::Encrypted => return Err(refuse(format_args!("{path} is encrypted"))),
            Method::Unknown => {
                return Err(refuse(format_args!("{path} is packed in a way that cannot be read")));
            }
        }
        if self.size > wanted.largest() {
            return Err(Problem::with_picture(
                ProblemKind::TooLarge,
                path,
                format_args!(
                    "is larger than {}, which is the most; make it smaller",
                    Size(wanted.largest())
                ),
            ));
        }
        Ok(())
    }

    /// The file. What is wanted of several folders has names with these folders in front, without the
    /// first `top` bytes of the path, or keeps its path.
    fn entry(self, wanted: Wanted, top: usize) -> Result<Entry, Problem> {
        let parts = |path: &str| {
            let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
            parts.map(str::to_owned).collect::<Vec<_>>()
        };
        let path = match wanted {
            Wanted::Pictures => {
                let name = parts(self.path.get(top..).unwrap_or_default()).join("_");
                FileName::of_picture(&name)?;
                ProjectPath::new(&name)?
            }
            Wanted::Project => ProjectPath::new(&parts(&self.path).join("/"))?,
        };
        Ok(Entry {
            path,
            size: self.size,
            modified: self.modified,
            packed: self.packed,
            offset: self.offset,
            crc: self.crc,
            is_deflated: self.method == Method::Deflated,
        })
    }
}

/// The folders that all files are in, with a slash at the end.
fn common_folder(records: &[Record]) -> String {
    let folder = |record: &Record| {
        record.path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"))
    };
    let mut records = records.iter();
    let mut common = records.next().map(folder).unwrap_or_default();
    for record in records {
        while !record.path.starts_with(&common) {
            common.pop();
            common.truncate(common.rfind('/').map_or(0, |slash| slash + 1));
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of a test archive.
    #[derive(Clone)]
    struct Packed<'a> {
        path: &'a str,
        content: &'a [u8],
        mode: u32,
        flags: u16,
        method: u16,
        size: u32,
    }

    fn packed<'a>(path: &'a str, content: &'a [u8]) -> Packed<'a> {
        let size = u32::try_from(content.len()).unwrap();
        Packed { path, content, mode: 0o100_644, flags: 0, method: 0, size }
    }

    fn open(files: &[Packed<'_>]) -> Result<Archive, Problem> {
        of_bytes(&zip(files))
    }

    fn zip(files: &[Packed<'_>]) -> Vec<u8> {
        let (mut data, mut list) = (Vec::new(), Vec::new());
        for file in files {
            let offset = u32::try_from(data.len()).unwrap();
            let (length, name) = (u32::try_from(file.content.len()).unwrap(), file.path.as_bytes());
            let name_length = u16::try_from(name.len()).unwrap().to_le_bytes();
            let mut common = Vec::new();
            common.extend([20, 0]);
            common.extend(file.flags.to_le_bytes());
            common.extend(file.method.to_le_bytes());
            common.extend([0, 0x60, 0x7d, 0x5b]);
            common.extend(crc32fast::hash(file.content).to_le_bytes());
            common.extend(length.to_le_bytes());
            common.extend(file.size.to_le_bytes());
            common.extend(name_length);
            common.extend([0, 0]);
            data.extend(b"PK\x03\x04");
            data.extend(&common);
            data.extend(name);
            data.extend(file.content);
            list.extend(b"PK\x01\x02\x14\x03");
            list.extend(&common);
            list.extend([0; 6]);
            list.extend((file.mode << 16).to_le_bytes());
            list.extend(offset.to_le_bytes());
            list.extend(name);
        }
        let (start, length) = (data.len(), list.len());
        let count = u16::try_from(files.len()).unwrap().to_le_bytes();
        data.extend(list);
        data.extend(b"PK\x05\x06\0\0\0\0");
        data.extend([count, count].concat());
        data.extend(u32::try_from(length).unwrap().to_le_bytes());
        data.extend(u32::try_from(start).unwrap().to_le_bytes());
        data.extend([0, 0]);
        data
    }

    fn of_bytes(bytes: &[u8]) -> Result<Archive, Problem> {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, bytes).unwrap();
        Archive::open(file, Wanted::Pictures)
    }

    #[test]
    fn names_lose_the_folders_that_all_have_and_join_the_others() {
        let archive = open(&[
            packed("shot/a/1.png", b"1"),
            packed("shot/b/1.png", b"2"),
            packed("shot/notes.txt", b"3"),
            packed("shot/a/.DS_Store", b"4"),
            packed("__MACOSX/shot/._1.png", b"5"),
            packed("shot/a/", b""),
        ]);
        let archive = archive.unwrap();
        let names: Vec<_> = archive.entries.iter().map(|entry| entry.path.to_string()).collect();
        assert_eq!(
            (names, archive.others, archive.size()),
            (["a_1.png", "b_1.png"].map(str::to_owned).to_vec(), 1, 2)
        );
        let folder = tempfile::tempdir().unwrap();
        for entry in &archive.entries {
            assert!(archive.unpack(entry, folder.path()).unwrap());
        }
        assert_eq!(fs::read(folder.path().join("b_1.png")).unwrap(), b"2");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        let time = archive.entries[0].modified.unwrap();
        assert_eq!(humantime::format_rfc3339_seconds(time).to_string(), "2025-11-29T12:00:00Z");
    }

    #[test]
    fn a_project_keeps_its_folders_and_needs_a_scene() {
        let open = |files: &[Packed<'_>]| {
            let mut file = tempfile::tempfile().unwrap();
            io::Write::write_all(&mut file, &zip(files)).unwrap();
            Archive::open(file, Wanted::Project)
        };
        let texture = packed("shot/tex/wood.png", b"2");
        let archive =
            open(&[packed("shot/a.blend", b"1"), texture.clone(), packed("shot/.git/x", b"3")]);
        let (archive, folder) = (archive.unwrap(), tempfile::tempdir().unwrap());
        for entry in &archive.entries {
            assert!(archive.unpack(entry, folder.path()).unwrap());
        }
        assert_eq!(fs::read(folder.path().join("shot/tex/wood.png")).unwrap(), b"2");
        assert_eq!((archive.entries.len(), archive.others), (2, 0));
        for (what, files) in [
            ("no .blend file", vec![texture.clone()]),
            ("leads out", vec![packed("../a.blend", b"1")]),
            ("a link", vec![Packed { mode: 0o120_777, ..packed("a.blend", b"1") }]),
            ("twice", vec![packed("a.blend", b"1"), packed("./a.blend", b"1")]),
        ] {
            let problem = open(&files).unwrap_err();
            assert!(problem.message.contains(what), "{what}: {}", problem.message);
        }
    }

    #[test]
    fn hostile_archives_are_refused_before_anything_is_written() {
        let png = packed("a.png", b"1");
        for (what, files) in [
            ("leads out", vec![packed("../a.png", b"1")]),
            ("leads out", vec![packed("x/../../a.png", b"1")]),
            ("leads out", vec![packed("..\\a.png", b"1")]),
            ("leads out", vec![packed("/etc/a.png", b"1")]),
            ("link", vec![Packed { mode: 0o120_777, ..png.clone() }]),
            ("device", vec![Packed { mode: 0o060_777, ..png.clone() }]),
            ("encrypted", vec![Packed { flags: 1, ..png.clone() }]),
            ("packed in a way", vec![Packed { method: 12, ..png.clone() }]),
            ("twice", vec![png.clone(), png.clone()]),
            ("larger than 512 MiB", vec![Packed { size: u32::MAX - 1, ..png.clone() }]),
            ("too large", vec![Packed { size: 400 << 20, ..png.clone() }]),
            ("no pictures", vec![packed("a.txt", b"1")]),
            ("no pictures", vec![]),
        ] {
            let problem = open(&files).unwrap_err();
            assert!(problem.message.contains(what), "{what}: {}", problem.message);
        }
        for bytes in [&b""[..], b"PK\x05\x06", b"no archive at all, but a text of some length"] {
            assert_eq!(of_bytes(bytes).unwrap_err().kind, ProblemKind::Unusable);
        }
    }

    #[test]
    fn a_list_that_is_longer_than_any_real_one_is_refused_before_it_is_read() {
        const START: u64 = 50 << 30;
        const END: u64 = 59 << 30;
        let count = 200_000_000u64;
        let mut end = Vec::from(b"PK\x06\x06");
        end.extend(44u64.to_le_bytes());
        end.extend([0; 12]);
        for number in [count, count, END - START, START] {
            end.extend(number.to_le_bytes());
        }
        end.extend(b"PK\x06\x07\0\0\0\0");
        end.extend(END.to_le_bytes());
        end.extend(b"\x01\0\0\0PK\x05\x06\0\0\0\0");
        end.extend([0xff; 12]);
        end.extend([0; 2]);
        // A file with a hole takes no space.
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&end, END).unwrap();
        let problem = Archive::open(file, Wanted::Pictures).unwrap_err();
        assert!(problem.message.contains("too long"), "{}", problem.message);
    }

    #[test]
    fn a_picture_that_is_not_what_the_archive_said_is_not_stored() {
        let folder = tempfile::tempdir().unwrap();
        for size in [0, 2] {
            let archive = open(&[Packed { size, ..packed("a.png", b"1") }]).unwrap();
            let problem = archive.unpack(&archive.entries[0], folder.path()).unwrap_err();
            assert!(problem.message.contains("a.png is damaged"), "{}", problem.message);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

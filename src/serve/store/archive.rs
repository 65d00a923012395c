//! Uploaded archives of pictures, or of a scene with its files. Everything is checked before anything is
//! written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::incoming::{MAX_ARCHIVE, MAX_PICTURE, MAX_PICTURES, Partial};
use super::names::{FileName, ScenePath};
use crate::archive::{Archive, ArchiveError, ArchiveFormat, Listed};
use crate::ending::Size;
use crate::serve::problem::{Problem, ProblemKind};

/// What is taken out of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Pictures. Their names become names in one folder, never paths.
    Pictures,
    /// All files, in their folders. There must be a scene file among them.
    Project,
}

/// An archive that was checked.
#[derive(Debug)]
pub struct Upload {
    archive: Archive,
    /// Where the wanted files go, by their paths in the archive.
    places: BTreeMap<String, ScenePath>,
    /// How many other files there are.
    pub others: usize,
    /// The size of the wanted files in bytes, unpacked.
    pub size: u64,
}

impl Upload {
    /// Opens an archive, and checks everything that it says about its content.
    ///
    /// # Errors
    /// If it is no archive, is too large, or has files that lead elsewhere.
    pub fn open(file: File, wanted: Wanted) -> Result<Self, Problem> {
        let mut start = [0; 4];
        file.read_exact_at(&mut start, 0).map_err(|_| refuse("it is no archive"))?;
        let archive = Archive::new(file, ArchiveFormat::of_start(&start)).map_err(refuse)?;
        let mut listed = archive.list(2 * MAX_PICTURES).map_err(refuse)?;
        listed.retain(|file| !is_hidden(&file.path));
        // Also what is left out must not lead out: such an archive is no honest one.
        if let Some(file) = listed.iter().find(|file| leads_out(&file.path)) {
            return Err(refuse(format_args!("{:?} leads out of it", file.path)));
        }
        let all = listed.len();
        listed.retain(|file| wanted.takes(file));
        let others = all - listed.len();
        if listed.len() > MAX_PICTURES {
            return Err(refuse(format_args!("it has more than {MAX_PICTURES} files")));
        }
        if let Some(file) = listed.iter().find(|file| file.size > wanted.largest()) {
            let what = format!(
                "is larger than {}, which is the most; make it smaller",
                Size(wanted.largest())
            );
            return Err(Problem::with_picture(ProblemKind::TooLarge, &file.path, what));
        }
        let size = listed.iter().fold(0u64, |sum, file| sum.saturating_add(file.size));
        if size > MAX_ARCHIVE {
            let message = "the content of the archive is too large; send the files as they are";
            return Err(Problem::new(ProblemKind::TooLarge, message));
        }
        let top = common_folder(&listed).len();
        let (mut places, mut taken) = (BTreeMap::new(), BTreeSet::new());
        for file in listed {
            let place = wanted.place(&file.path, top)?;
            if !taken.insert(place.clone()) || places.contains_key(&file.path) {
                return Err(refuse(format_args!("it has {place} twice")));
            }
            places.insert(file.path, place);
        }
        match wanted {
            Wanted::Pictures if places.is_empty() => return Err(refuse("it has no pictures")),
            Wanted::Project if !places.values().any(ScenePath::is_scene) => {
                return Err(refuse("it has no .blend file"));
            }
            Wanted::Pictures | Wanted::Project => {}
        }
        Ok(Self { archive, places, others, size })
    }

    /// How many files are wanted.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// Unpacks the wanted files to their places in `folder`. `stored` gets the name of each, and whether
    /// there was none of that name.
    ///
    /// # Errors
    /// If one is damaged, or cannot be written.
    pub fn unpack(
        &self,
        folder: &Path,
        mut stored: impl FnMut(&FileName, bool),
    ) -> Result<(), Problem> {
        let mut problem = None;
        let unpacked = self.archive.unpack(|file, content| {
            let Some(place) = self.places.get(&file.path) else { return Ok(()) };
            match store(file, place, content, folder) {
                Ok(is_new) => {
                    stored(place.name(), is_new);
                    Ok(())
                }
                Err(why) => {
                    problem = Some(why);
                    Err(ArchiveError::refuse("it cannot be unpacked"))
                }
            }
        });
        match problem {
            Some(problem) => Err(problem),
            None => unpacked.map_err(refuse),
        }
    }
}

fn store(
    file: &Listed,
    place: &ScenePath,
    content: &mut dyn Read,
    folder: &Path,
) -> Result<bool, Problem> {
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            refuse(format_args!("{place} is damaged"))
        }
        _ => Problem::io("unpack the archive", &error),
    };
    let folder = place.folder(folder);
    fs::create_dir_all(&folder).map_err(cannot)?;
    let partial = Partial::new(&folder).map_err(cannot)?;
    let mut copy = File::create_new(partial.path()).map_err(cannot)?;
    if io::copy(content, &mut copy).map_err(cannot)? != file.size {
        return Err(refuse(format_args!("{place} is damaged")));
    }
    partial.keep(place.name(), file.modified)
}

impl Wanted {
    /// Whether a file is one that is wanted.
    fn takes(self, file: &Listed) -> bool {
        match self {
            Self::Pictures => {
                let name = file.path.rsplit('/').next().unwrap_or_default();
                // One with a name that cannot be is refused, and not left out.
                !FileName::of_picture(name)
                    .is_err_and(|problem| problem.kind == ProblemKind::Unsupported)
            }
            Self::Project => true,
        }
    }

    /// The largest file in bytes.
    fn largest(self) -> u64 {
        match self {
            Self::Pictures => MAX_PICTURE,
            Self::Project => MAX_ARCHIVE,
        }
    }

    /// Where a file goes. Pictures of several folders have names with these folders in front, without
    /// the first `top` bytes of the path.
    fn place(self, path: &str, top: usize) -> Result<ScenePath, Problem> {
        let parts = |path: &str| {
            let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
            parts.map(str::to_owned).collect::<Vec<_>>()
        };
        match self {
            Self::Pictures => {
                let name = parts(path.get(top..).unwrap_or_default()).join("_");
                FileName::of_picture(&name)?;
                ScenePath::new(&name)
            }
            Self::Project => ScenePath::new(&parts(path).join("/")),
        }
    }
}

fn is_hidden(path: &str) -> bool {
    path.starts_with("__MACOSX/")
        || path.split('/').any(|part| part.starts_with('.') && ![".", ".."].contains(&part))
}

fn leads_out(path: &str) -> bool {
    path.starts_with('/') || path.split('/').any(|part| part == "..")
}

/// The folders that all files are in, with a slash at the end.
fn common_folder(files: &[Listed]) -> String {
    let folder = |file: &Listed| {
        file.path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"))
    };
    let mut files = files.iter();
    let mut common = files.next().map(folder).unwrap_or_default();
    for file in files {
        while !file.path.starts_with(&common) {
            common.pop();
            common.truncate(common.rfind('/').map_or(0, |slash| slash + 1));
        }
    }
    common
}

fn refuse(what: impl std::fmt::Display) -> Problem {
    let message = format!("the archive cannot be used: {what}; send the files as they are");
    Problem::new(ProblemKind::Unusable, message)
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

    fn open(files: &[Packed<'_>]) -> Result<Upload, Problem> {
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

    fn of_bytes(bytes: &[u8]) -> Result<Upload, Problem> {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, bytes).unwrap();
        Upload::open(file, Wanted::Pictures)
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
        assert_eq!((archive.count(), archive.others, archive.size), (2, 1, 2));
        let (folder, mut names) = (tempfile::tempdir().unwrap(), Vec::new());
        let stored = |name: &FileName, is_new| names.push((name.to_string(), is_new));
        archive.unpack(folder.path(), stored).unwrap();
        assert_eq!(names, [("a_1.png".to_owned(), true), ("b_1.png".to_owned(), true)]);
        assert_eq!(fs::read(folder.path().join("b_1.png")).unwrap(), b"2");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        let time = fs::metadata(folder.path().join("a_1.png")).unwrap().modified().unwrap();
        assert_eq!(humantime::format_rfc3339_seconds(time).to_string(), "2025-11-29T12:00:00Z");
    }

    #[test]
    fn a_project_keeps_its_folders_and_needs_a_scene() {
        let open = |files: &[Packed<'_>]| {
            let mut file = tempfile::tempfile().unwrap();
            io::Write::write_all(&mut file, &zip(files)).unwrap();
            Upload::open(file, Wanted::Project)
        };
        let texture = packed("shot/tex/wood.png", b"2");
        let archive =
            open(&[packed("shot/a.blend", b"1"), texture.clone(), packed("shot/.git/x", b"3")]);
        let (archive, folder) = (archive.unwrap(), tempfile::tempdir().unwrap());
        archive.unpack(folder.path(), |_, is_new| assert!(is_new)).unwrap();
        assert_eq!(fs::read(folder.path().join("shot/tex/wood.png")).unwrap(), b"2");
        assert_eq!((archive.count(), archive.others), (2, 0));
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
            ("more content", vec![Packed { size: u32::MAX - 1, ..png.clone() }]),
            ("more content", vec![Packed { size: 400 << 20, ..png.clone() }]),
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
        file.write_all_at(b"PK\x03\x04", 0).unwrap();
        file.write_all_at(&end, END).unwrap();
        let problem = Upload::open(file, Wanted::Pictures).unwrap_err();
        assert!(problem.message.contains("too long"), "{}", problem.message);
    }

    #[test]
    fn a_picture_that_is_not_what_the_archive_said_is_not_stored() {
        let folder = tempfile::tempdir().unwrap();
        for size in [0, 2] {
            let archive = open(&[Packed { size, ..packed("a.png", b"1") }]).unwrap();
            let problem = archive.unpack(folder.path(), |_, _| {}).unwrap_err();
            assert!(problem.message.contains("a.png is damaged"), "{}", problem.message);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

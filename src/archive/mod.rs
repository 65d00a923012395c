//! Archives: zip, and tar as it is or compressed with gzip or Zstandard.
//!
//! Nobody vouches for an archive. Its list of files is read as a whole before anything is unpacked, and
//! what is unpacked must be what the list said. Memory does not grow with the size of the archive.

mod entry;
mod tar;
mod zip;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _};

use crate::ending::Size;
pub use entry::{ArchiveError, Kind, Listed};
use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use tar::Members;

/// How many times larger than the archive its content may be, beyond [`FREE_CONTENT`]. Pictures are
/// compressed already; empty ones shrink to a hundredth.
const MAX_RATIO: u64 = 200;

/// The content that is accepted whatever the ratio is, in bytes.
const FREE_CONTENT: u64 = 256 << 20;

/// What the headers of a tar archive may take besides its content, in bytes.
const MAX_HEADERS: u64 = 256 << 20;

/// The format of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// Zip.
    Zip,
    /// Tar.
    Tar,
    /// Tar, compressed with gzip.
    TarGz,
    /// Tar, compressed with Zstandard.
    TarZst,
}

impl ArchiveFormat {
    /// The format of an archive with this beginning of four bytes or more.
    pub fn of_start(start: &[u8]) -> Self {
        match start {
            [b'P', b'K', ..] => Self::Zip,
            [0x1f, 0x8b, ..] => Self::TarGz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::TarZst,
            _ => Self::Tar,
        }
    }

    /// The format of an archive of this name; `None` if it is no archive.
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        if ends(&[".zip"]) {
            Some(Self::Zip)
        } else if ends(&[".tar"]) {
            Some(Self::Tar)
        } else if ends(&[".tar.gz", ".tgz"]) {
            Some(Self::TarGz)
        } else if ends(&[".tar.zst", ".tzst"]) {
            Some(Self::TarZst)
        } else {
            None
        }
    }
}

/// An open archive.
#[derive(Debug)]
pub struct Archive {
    file: File,
    format: ArchiveFormat,
    /// The most content that is accepted, in bytes.
    most: u64,
}

impl Archive {
    /// An archive in an open file.
    ///
    /// # Errors
    /// If the size of the file is not known.
    pub fn new(file: File, format: ArchiveFormat) -> Result<Self, ArchiveError> {
        let length = file.metadata()?.len();
        let most = FREE_CONTENT.max(length.saturating_mul(MAX_RATIO));
        Ok(Self { file, format, most })
    }

    /// Its files, without folders. There are up to `max_files`.
    ///
    /// # Errors
    /// If it is damaged, encrypted, has links or devices, too many files, or far more content than its
    /// own size.
    pub fn list(&self, max_files: usize) -> Result<Vec<Listed>, ArchiveError> {
        let mut listing = Listing { files: Vec::new(), max_files, total: 0, most: self.most };
        if self.format == ArchiveFormat::Zip {
            for record in zip::Records::open(&self.file)? {
                let record = record?;
                record.check_packing()?;
                listing.add(record.listed(), record.kind)?;
            }
        } else {
            let mut members = self.members()?;
            while let Some(member) = members.next()? {
                let kind = member.kind;
                listing.add(member.listed(), kind)?;
            }
        }
        Ok(listing.files)
    }

    /// Unpacks the files: `take` gets each of them with its content, which has its size or fails.
    ///
    /// # Errors
    /// If a file is damaged, and those of `take`.
    pub fn unpack(
        &self,
        mut take: impl FnMut(&Listed, &mut dyn Read) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        if self.format == ArchiveFormat::Zip {
            for record in zip::Records::open(&self.file)? {
                let record = record?;
                if record.kind == Kind::File {
                    take(&record.listed(), &mut record.content(&self.file)?)?;
                }
            }
            return Ok(());
        }
        let mut members = self.members()?;
        while let Some(member) = members.next()? {
            if member.kind == Kind::File {
                take(&member.listed(), &mut members.content())?;
            }
        }
        Ok(())
    }

    /// The files of a tar archive, from its beginning.
    fn members(&self) -> Result<Members<io::Take<Box<dyn Read + '_>>>, ArchiveError> {
        (&self.file).rewind()?;
        let reader = BufReader::new(&self.file);
        let reader: Box<dyn Read> = match self.format {
            ArchiveFormat::TarGz => Box::new(MultiGzDecoder::new(reader)),
            ArchiveFormat::TarZst => {
                let decoder = StreamingDecoder::new(reader);
                Box::new(decoder.map_err(|_| ArchiveError::refuse("it is no .zst file"))?)
            }
            ArchiveFormat::Tar | ArchiveFormat::Zip => Box::new(reader),
        };
        // Whatever its headers say, decompression ends.
        Ok(Members::new(reader.take(self.most.saturating_add(MAX_HEADERS))))
    }
}

/// The files that were listed so far.
struct Listing {
    files: Vec<Listed>,
    max_files: usize,
    total: u64,
    most: u64,
}

impl Listing {
    fn add(&mut self, file: Listed, kind: Kind) -> Result<(), ArchiveError> {
        match kind {
            Kind::Folder => return Ok(()),
            Kind::Other => {
                let path = file.path;
                return Err(ArchiveError::refuse(format_args!("{path:?} is a link or a device")));
            }
            Kind::File => {}
        }
        self.total = self.total.saturating_add(file.size);
        if self.total > self.most {
            return Err(ArchiveError::refuse(format_args!(
                "it has more content than {}, far more than an archive of its size can have",
                Size(self.most)
            )));
        }
        if self.files.len() >= self.max_files {
            let most = self.max_files;
            return Err(ArchiveError::refuse(format_args!("it has more than {most} files")));
        }
        self.files.push(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;
    use std::process::Command;

    use super::*;

    #[test]
    fn archives_are_known_by_their_names() {
        for (name, format) in [
            ("a.zip", Some(ArchiveFormat::Zip)),
            ("A.ZIP", Some(ArchiveFormat::Zip)),
            ("a.tar", Some(ArchiveFormat::Tar)),
            ("a.tar.gz", Some(ArchiveFormat::TarGz)),
            ("a.tgz", Some(ArchiveFormat::TarGz)),
            ("a.tar.zst", Some(ArchiveFormat::TarZst)),
            ("a.gz", None),
            ("a.blend", None),
        ] {
            assert_eq!(ArchiveFormat::of_name(name), format, "{name}");
        }
    }

    /// An archive that a shell command makes in a folder with the files a/1 and a/2.
    fn made(command: &str, format: ArchiveFormat) -> Archive {
        let folder = tempfile::tempdir().unwrap();
        let script = format!("mkdir a && printf 1 >a/1 && printf 22 >a/2 && {{ {command}; }} >out");
        let status = Command::new("sh").args(["-ec", &script]).current_dir(&folder).status();
        assert!(status.unwrap().success(), "{command}");
        Archive::new(File::open(folder.path().join("out")).unwrap(), format).unwrap()
    }

    #[test]
    fn every_format_is_unpacked() {
        let zip = "python3 -m zipfile -c z.zip a && cat z.zip";
        for (command, format) in [
            ("tar -c a", ArchiveFormat::Tar),
            ("tar -cz a", ArchiveFormat::TarGz),
            ("tar -c a | zstd -q", ArchiveFormat::TarZst),
            (zip, ArchiveFormat::Zip),
        ] {
            let archive = made(command, format);
            let mut start = [0; 4];
            archive.file.read_exact_at(&mut start, 0).unwrap();
            assert_eq!(ArchiveFormat::of_start(&start), format);
            let mut listed = archive.list(2).unwrap();
            let mut found = Vec::new();
            let unpacked = archive.unpack(|file, content| {
                let mut text = String::new();
                content.read_to_string(&mut text)?;
                found.push((file.path.clone(), text));
                Ok(())
            });
            unpacked.unwrap();
            found.sort();
            listed.sort_by(|a, b| a.path.cmp(&b.path));
            let expected =
                [("a/1".to_owned(), "1".to_owned()), ("a/2".to_owned(), "22".to_owned())];
            assert_eq!(found, expected, "{command}");
            assert_eq!(listed.iter().map(|it| it.size).collect::<Vec<_>>(), [1, 2]);
            for file in &listed {
                assert!(file.modified.unwrap().elapsed().unwrap().as_secs() < 100_000, "{file:?}");
            }
            assert!(archive.list(1).is_err(), "it has more than one file");
        }
    }

    #[test]
    fn archives_that_are_not_what_they_say_are_refused() {
        let bomb = "truncate -s 1G a/3 && tar -c a/3 | gzip";
        for (what, command, format) in [
            ("link", "ln -s /etc a/3 && tar -c a", ArchiveFormat::Tar),
            ("link", "ln a/1 a/3 && tar -c a", ArchiveFormat::Tar),
            ("more content", bomb, ArchiveFormat::TarGz),
            ("more content", "truncate -s 1G a/3 && tar -c a/3 | zstd -q", ArchiveFormat::TarZst),
            ("holes", "truncate -s 1G a/3 && tar -cS a/3", ArchiveFormat::Tar),
            ("damaged", "tar -c a | head -c 900", ArchiveFormat::Tar),
            ("damaged", "tar -cz a | head -c 90", ArchiveFormat::TarGz),
            ("", "tar -c a | zstd -q | head -c 60", ArchiveFormat::TarZst),
            ("damaged", "head -c 9000 /dev/urandom", ArchiveFormat::Tar),
            ("zip", "tar -c a", ArchiveFormat::Zip),
        ] {
            let error = made(command, format).list(100).expect_err(command).to_string();
            assert!(error.contains(what), "{command}: {error}");
        }
    }
}

//! What a zip archive says about itself (APPNOTE.TXT of PKWARE): the list of its files, at its end.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flate2::read::DeflateDecoder;

use super::entry::{ArchiveError, Kind, Listed};

/// The largest list of an archive's content in bytes.
const MAX_DIRECTORY: u64 = 64 << 20;

/// The longest record at the end of an archive: its own 22 bytes, and a comment.
const END_RECORD: u64 = 22 + 65_535;

/// A file as the archive describes it.
#[derive(Debug)]
pub struct Record {
    /// Its path, with slashes.
    pub path: String,
    /// How it is packed.
    pub method: Method,
    /// The checksum of its content (CRC-32).
    pub crc: u32,
    /// Its size in bytes, packed.
    pub packed: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Where its own header begins.
    pub offset: u64,
    /// What it is.
    pub kind: Kind,
    /// When it was last changed, if that is known.
    pub modified: Option<SystemTime>,
}

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// As it is.
    Stored,
    /// With Deflate.
    Deflated,
    /// With a password.
    Encrypted,
    /// In another way.
    Unknown,
}

/// The list of files of an archive, one record after the other.
pub struct Records<'a> {
    reader: io::Take<BufReader<&'a File>>,
    left: u64,
}

impl<'a> Records<'a> {
    /// Finds the list of an archive.
    ///
    /// # Errors
    /// If it is no archive, or its list is too long.
    pub fn open(file: &'a File) -> Result<Self, ArchiveError> {
        let length = file.metadata()?.len();
        let (count, size, offset) = directory(file, length)?;
        if size > MAX_DIRECTORY || offset.checked_add(size).is_none_or(|end| end > length) {
            return Err(ArchiveError::refuse("its list of files is damaged or too long"));
        }
        let mut reader = BufReader::new(file);
        reader.seek(SeekFrom::Start(offset))?;
        Ok(Self { reader: reader.take(size), left: count })
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, ArchiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let record = Record::read(&mut self.reader);
        if record.is_err() {
            self.left = 0;
        }
        Some(record)
    }
}

/// The number of records in the list of files, its length in bytes, and where it begins.
fn directory(file: &File, length: u64) -> Result<(u64, u64, u64), ArchiveError> {
    let no_archive = || ArchiveError::refuse("it is no zip archive, or cut short");
    let start = length.saturating_sub(END_RECORD);
    let mut end = Vec::new();
    let mut reader = file;
    reader.seek(SeekFrom::Start(start))?;
    reader.take(END_RECORD).read_to_end(&mut end)?;
    // The comment behind it reaches up to the end.
    let at = (0..=end.len().saturating_sub(22)).rev().find(|&at| {
        let record = end.get(at..).unwrap_or_default();
        record.starts_with(b"PK\x05\x06") && number(record, 20, 2) + 22 == record.len() as u64
    });
    let at = at.ok_or_else(no_archive)?;
    let record = end.get(at..).unwrap_or_default();
    let plain = (number(record, 10, 2), number(record, 12, 4), number(record, 16, 4));
    if plain.0 != 0xffff && plain.1 != 0xffff_ffff && plain.2 != 0xffff_ffff {
        return Ok(plain);
    }
    // Large archives have another record, and before this one its place.
    let place = (start + at as u64).checked_sub(20).ok_or_else(no_archive)?;
    let mut locator = [0; 20];
    file.read_exact_at(&mut locator, place)?;
    if !locator.starts_with(b"PK\x06\x07") {
        return Ok(plain);
    }
    let mut large = [0; 56];
    file.read_exact_at(&mut large, number(&locator, 8, 8))?;
    if !large.starts_with(b"PK\x06\x06") {
        return Err(no_archive());
    }
    Ok((number(&large, 32, 8), number(&large, 40, 8), number(&large, 48, 8)))
}

impl Record {
    /// Reads the next record of the list.
    ///
    /// # Errors
    /// If it is damaged.
    fn read(reader: &mut impl Read) -> Result<Self, ArchiveError> {
        let mut header = [0; 46];
        reader.read_exact(&mut header)?;
        if number(&header, 0, 4) != 0x0201_4b50 {
            return Err(ArchiveError::refuse("its list of files is damaged"));
        }
        let mut bytes = |at| {
            let mut bytes = vec![0; usize::try_from(number(&header, at, 2)).unwrap_or_default()];
            reader.read_exact(&mut bytes)?;
            Ok::<_, ArchiveError>(bytes)
        };
        let (path, extra, _comment) = (bytes(28)?, bytes(30)?, bytes(32)?);
        let path = String::from_utf8_lossy(&path).replace('\\', "/");
        // The upper byte is the system that has made it; 3 is Unix.
        let mode = if number(&header, 5, 1) == 3 { number(&header, 38, 4) >> 28 } else { 0 };
        let kind = match mode {
            _ if path.ends_with('/') => Kind::Folder,
            0 | 0o10 => Kind::File,
            0o4 => Kind::Folder,
            _ => Kind::Other,
        };
        let mut record = Self {
            path,
            method: match (number(&header, 8, 2) & 1, number(&header, 10, 2)) {
                (1, _) => Method::Encrypted,
                (_, 0) => Method::Stored,
                (_, 8) => Method::Deflated,
                _ => Method::Unknown,
            },
            crc: u32::try_from(number(&header, 16, 4)).unwrap_or_default(),
            packed: number(&header, 20, 4),
            size: number(&header, 24, 4),
            offset: number(&header, 42, 4),
            kind,
            modified: dos_time(number(&header, 12, 2), number(&header, 14, 2)),
        };
        record.read_extra(&extra);
        Ok(record)
    }

    /// What the list of an archive says of it.
    pub fn listed(&self) -> Listed {
        Listed { path: self.path.clone(), size: self.size, modified: self.modified }
    }

    /// Checks that its content can be read.
    ///
    /// # Errors
    /// If it is encrypted, or packed in another way than Deflate.
    pub fn check_packing(&self) -> Result<(), ArchiveError> {
        let path = &self.path;
        match self.method {
            Method::Stored | Method::Deflated => Ok(()),
            Method::Encrypted => Err(ArchiveError::refuse(format_args!("{path:?} is encrypted"))),
            Method::Unknown => Err(ArchiveError::refuse(format_args!(
                "{path:?} is packed in a way that cannot be read"
            ))),
        }
    }

    /// Its content, which fails if it is not what the archive says.
    ///
    /// # Errors
    /// If it is not where the archive says.
    pub fn content<'a>(&self, file: &'a File) -> Result<Content<'a>, ArchiveError> {
        let mut header = [0; 30];
        file.read_exact_at(&mut header, self.offset)?;
        if number(&header, 0, 4) != 0x0403_4b50 {
            return Err(ArchiveError::refuse(format_args!(
                "{:?} is not where it should be",
                self.path
            )));
        }
        let lengths = number(&header, 26, 2) + number(&header, 28, 2);
        let start = self.offset.saturating_add(30 + lengths);
        let packed = At { file, at: start }.take(self.packed);
        let reader: Box<dyn Read + 'a> = match self.method {
            Method::Deflated => Box::new(DeflateDecoder::new(packed)),
            Method::Stored | Method::Encrypted | Method::Unknown => Box::new(packed),
        };
        let hash = crc32fast::Hasher::new();
        Ok(Content { reader, hash, left: self.size, crc: self.crc })
    }

    /// Takes the numbers that need more than four bytes, and the exact time.
    fn read_extra(&mut self, mut extra: &[u8]) {
        while let Some((header, rest)) = extra.split_at_checked(4) {
            let length = usize::try_from(number(header, 2, 2)).unwrap_or_default();
            let Some((field, rest)) = rest.split_at_checked(length) else { return };
            extra = rest;
            match number(header, 0, 2) {
                0x0001 => {
                    let mut at = 0;
                    for value in [&mut self.size, &mut self.packed, &mut self.offset] {
                        if *value == 0xffff_ffff && field.len() >= at + 8 {
                            *value = number(field, at, 8);
                            at += 8;
                        }
                    }
                }
                0x5455 if field.len() >= 5 && number(field, 0, 1) & 1 == 1 => {
                    self.modified = Some(UNIX_EPOCH + Duration::from_secs(number(field, 1, 4)));
                }
                _ => {}
            }
        }
    }
}

/// A file from a place on, whatever else reads it.
struct At<'a> {
    file: &'a File,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// The content of a file, checked against its size and its checksum.
pub struct Content<'a> {
    reader: Box<dyn Read + 'a>,
    hash: crc32fast::Hasher,
    left: u64,
    crc: u32,
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = self.reader.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        let left = self.left.checked_sub(read as u64);
        let is_damaged = match left {
            None => true,
            Some(left) => read == 0 && (left > 0 || self.hash.clone().finalize() != self.crc),
        };
        if is_damaged {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.left = left.unwrap_or_default();
        Ok(read)
    }
}

/// The number of `length` bytes at `at`, the lowest first; 0 behind the end.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let bytes = bytes.get(at..at + length).unwrap_or_default();
    bytes.iter().rev().fold(0, |number, &byte| (number << 8) | u64::from(byte))
}

/// A time of DOS, as if it were UTC: archives do not say where they were made.
fn dos_time(time: u64, date: u64) -> Option<SystemTime> {
    let (year, month, day) = (1980 + (date >> 9), (date >> 5) & 15, date & 31);
    let (hour, minute, second) = (time >> 11, (time >> 5) & 63, (time & 31) * 2);
    let text = format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    humantime::parse_rfc3339(&text).ok()
}

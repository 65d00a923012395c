//! The pictures in the order of the video: a folder of links whose names begin with numbers.
//!
//! `stitch` takes the pictures of a folder in the order of their names, so that the order of the user
//! becomes one of names. What it says about a picture is translated back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::serve::store::names::FileName;

/// The folder of the links, in that of the video.
pub const FOLDER: &str = "ordered";

/// The digits of a number.
const DIGITS: usize = 6;

/// What follows a number. No other text has it.
const MARK: &str = "\u{b7}";

/// The links. They are removed when this is dropped.
#[derive(Debug)]
pub struct Links(PathBuf);

impl Links {
    /// Links the pictures of a video, in this order.
    ///
    /// # Errors
    /// The error of the system.
    pub fn make(video: &Path, pictures: &Path, order: &[FileName]) -> io::Result<Self> {
        let links = Self(video.join(FOLDER));
        remove(&links.0)?;
        fs::create_dir(&links.0)?;
        for (index, name) in order.iter().enumerate() {
            let link = links.0.join(format!("{index:0DIGITS$}{MARK}{name}"));
            let picture = pictures.join(name.as_str());
            // Some file systems, such as those of cameras, have no hard links.
            if fs::hard_link(&picture, &link).is_err() {
                std::os::unix::fs::symlink(&picture, &link)?;
            }
        }
        Ok(links)
    }

    /// The folder of the links.
    pub fn folder(&self) -> &Path {
        &self.0
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        // The next run removes what is left.
        _ = remove(&self.0);
    }
}

/// Removes the links that a server has left which was killed.
///
/// # Errors
/// The error of the system.
pub fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A text in which pictures have the names that the user gave them, and these names. A name ends with
/// its extension.
pub fn real_names(text: &str) -> (String, Vec<String>) {
    let (mut real, mut names) = (String::with_capacity(text.len()), Vec::new());
    let mut parts = text.split(MARK);
    real.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let before = real.len();
        let digits = real.bytes().rev().take_while(u8::is_ascii_digit).count();
        if digits >= DIGITS {
            real.truncate(before - DIGITS);
            names.extend(name_at(part));
        } else {
            real.push_str(MARK);
        }
        real.push_str(part);
    }
    (real, names)
}

/// The name of a picture at the beginning of a text: up to the end of the first extension of one.
fn name_at(text: &str) -> Option<String> {
    text.match_indices('.').find_map(|(dot, _)| {
        let rest = text.get(dot + 1..)?;
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let name = FileName::of_picture(text.get(..dot + 1 + length)?).ok()?;
        Some(name.as_str().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_have_the_order_of_the_user_and_messages_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let pictures = folder.path().join("pictures");
        fs::create_dir(&pictures).unwrap();
        let names = ["b 2.png", "a.jpg"].map(|name| FileName::of_picture(name).unwrap());
        for name in &names {
            fs::write(pictures.join(name.as_str()), name.as_str()).unwrap();
        }
        let links = Links::make(folder.path(), &pictures, &names).unwrap();
        let mut listed: Vec<_> = fs::read_dir(links.folder())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        listed.sort();
        assert_eq!(listed, ["000000\u{b7}b 2.png", "000001\u{b7}a.jpg"]);
        let message = format!("{} is cut, {} and 1\u{b7}2 too", listed[0], listed[1]);
        let (text, found) = real_names(&message);
        assert_eq!(text, "b 2.png is cut, a.jpg and 1\u{b7}2 too");
        assert_eq!(found, ["b 2.png", "a.jpg"]);
        let path = links.folder().to_owned();
        drop(links);
        assert!(!path.exists());
    }
}

//! Splits a child's output into lines. The output may lack newlines, contain invalid UTF-8, or
//! never end.

use crate::printable::printable;

/// The longest line that is kept, in bytes. Docker's json-file driver splits lines at 16 KiB, and
/// replacement characters can triple a line's length.
pub const MAX_LINE: usize = 5 * 1024;

/// Assembles lines from pieces of any size, in bounded memory.
///
/// - A carriage return also ends a line: FFmpeg rewrites its status line with it.
/// - Empty lines are dropped.
/// - Invalid UTF-8 and characters that are not [`printable`] are replaced.
/// - A line longer than [`MAX_LINE`] is cut. A note gives the number of bytes that are missing.
#[derive(Debug, Default)]
pub struct LineAssembler {
    line: Vec<u8>,
    cut: usize,
}

impl LineAssembler {
    /// Adds the next piece, and calls `emit` with every line that it completes.
    pub fn push(&mut self, bytes: &[u8], mut emit: impl FnMut(String)) {
        let mut pieces = bytes.split(|&b| b == b'\n' || b == b'\r');
        let mut piece = pieces.next();
        while let Some(bytes) = piece {
            let room = MAX_LINE.saturating_sub(self.line.len()).min(bytes.len());
            let (kept, cut) = bytes.split_at(room);
            self.line.extend_from_slice(kept);
            self.cut += cut.len();
            piece = pieces.next();
            if piece.is_some() {
                self.finish(&mut emit);
            }
        }
    }

    /// Ends the current line, and calls `emit` with it unless it is empty.
    pub fn finish(&mut self, mut emit: impl FnMut(String)) {
        let mut text = printable(&String::from_utf8_lossy(self.line.trim_ascii_end()));
        if self.cut > 0 {
            text = format!("{text} [… {} bytes more]", self.cut);
        }
        self.line.clear();
        self.cut = 0;
        if !text.is_empty() {
            emit(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut assembler = LineAssembler::default();
        let mut lines = Vec::new();
        for piece in pieces {
            assembler.push(piece, |line| lines.push(line));
        }
        assembler.finish(|line| lines.push(line));
        lines
    }

    #[test]
    fn lines_are_assembled_from_pieces() {
        assert_eq!(lines(&[b"one\ntw", b"o\n", b"three"]), ["one", "two", "three"]);
        assert_eq!(lines(&[b"a\r\nb\rc\n\n\nd"]), ["a", "b", "c", "d"]);
        assert_eq!(lines(&[b"", b"\n", b"  \n"]), [""; 0]);
    }

    #[test]
    fn terminal_control_characters_are_replaced() {
        assert_eq!(lines(&[b"\x1b[2Ja\tb\x07\n"]), ["\u{fffd}[2Ja\tb\u{fffd}"]);
    }

    #[test]
    fn invalid_utf8_is_replaced_and_split_characters_are_not() {
        assert_eq!(lines(&[b"a\xffb\n", b"\xc3", b"\xbc\n"]), ["a\u{fffd}b", "ü"]);
    }

    #[test]
    fn an_endless_line_is_cut_in_bounded_memory() {
        let mut assembler = LineAssembler::default();
        for _ in 0..1000 {
            assembler.push(&[b'x'; 10_000], |_| panic!("no line has ended"));
        }
        assert!(assembler.line.capacity() <= 2 * MAX_LINE);
        let mut all = Vec::new();
        assembler.push(b"\nnext\n", |line| all.push(line));
        let expected = format!("{} [… 9994880 bytes more]", "x".repeat(MAX_LINE));
        assert_eq!(all, [expected, "next".into()]);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_the_input_is_cut(
            bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..300
        ) {
            let (a, b) = bytes.split_at(at.min(bytes.len()));
            prop_assert_eq!(lines(&[a, b]), lines(&[&bytes]));
        }
    }
}

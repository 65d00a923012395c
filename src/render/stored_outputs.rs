//! The stored side files, by what makes them, for the report.

use std::collections::BTreeMap;

use crate::blender::{Maker, SceneOutputs};
use crate::request::{FrameNumber, FrameSet, OUTPUTS_DIR};
use crate::worker::report::{OutputFileReport, OutputReport};

/// The frames whose side files are stored, by the number of the file among those that the scene
/// makes for each frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredOutputs(BTreeMap<usize, BTreeMap<FrameNumber, u64>>);

impl StoredOutputs {
    /// Adds the file of a frame, with its size in bytes.
    pub fn add(&mut self, index: usize, frame: FrameNumber, bytes: u64) {
        self.0.entry(index).or_default().insert(frame, bytes);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds all files of `other`.
    pub fn extend(&mut self, other: Self) {
        for (index, frames) in other.0 {
            self.0.entry(index).or_default().extend(frames);
        }
    }

    /// The report of these files: an entry for each node and view of `outputs`, in order.
    pub fn report(&self, outputs: &SceneOutputs) -> Vec<OutputReport> {
        let mut reports: Vec<OutputReport> = Vec::new();
        for (index, output) in outputs.files.iter().enumerate() {
            let stored = self.0.get(&index);
            // The setup script lists every file that Blender may save.
            if stored.is_none() && !output.certain {
                continue;
            }
            let stored = stored.into_iter().flatten();
            let frames: FrameSet = stored.clone().map(|(frame, _)| *frame).collect();
            let file = OutputFileReport {
                file: output.pattern(),
                frames: frames.to_string(),
                bytes: stored.map(|(_, bytes)| bytes).sum(),
            };
            let folder = format!("{OUTPUTS_DIR}/{}", output.folder);
            if let Some(report) = reports.iter_mut().find(|report| report.folder == folder) {
                report.files.push(file);
                continue;
            }
            let (node, view) = match &output.maker {
                Maker::Node { node, .. } => (Some(node.clone()), None),
                Maker::View { view, .. } => (None, Some(view.clone())),
            };
            reports.push(OutputReport { node, view, folder, files: vec![file] });
        }
        reports
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blender::OutputFile;

    #[test]
    fn the_report_has_an_entry_for_each_node() {
        let maybe = |before| OutputFile { certain: false, ..OutputFile::example(before, ".png") };
        let other = OutputFile { folder: "Other".into(), ..maybe("d_") };
        let files = vec![OutputFile::example("a_", ".exr"), other, maybe("b_"), maybe("c_")];
        let outputs = SceneOutputs { files, ..SceneOutputs::default() };
        let (mut stored, mut earlier) = (StoredOutputs::default(), StoredOutputs::default());
        let frame = |number| FrameNumber::new(number).unwrap();
        stored.add(2, frame(3), 10);
        earlier.add(2, frame(1), 5);
        earlier.add(2, frame(2), 5);
        stored.extend(earlier);
        let reports = stored.report(&outputs);
        let [passes] = reports.as_slice() else { panic!("{reports:?}") };
        assert_eq!(passes.folder, "outputs/Passes");
        let files =
            passes.files.iter().map(|file| (file.file.as_str(), file.frames.as_str(), file.bytes));
        assert_eq!(files.collect::<Vec<_>>(), [("a_####.exr", "", 0), ("b_####.png", "1-3", 20)]);
    }
}

//! The GPUs that the processes of this machine may use.

use std::fs;
use std::path::Path;

/// GPUs of one manufacturer.
#[derive(Debug, PartialEq, Eq)]
pub struct Gpus {
    /// The variable that names the GPUs of a process.
    pub variable: &'static str,
    /// Their names in this variable.
    pub names: Vec<String>,
}

const NVIDIA: &str = "CUDA_VISIBLE_DEVICES";
const AMD: &str = "HIP_VISIBLE_DEVICES";

impl Gpus {
    /// The GPUs that these variables select, else all that there are; `None` without any.
    pub fn find(environment: &[(String, String)]) -> Option<Self> {
        Self::find_in(environment, Path::new("/"))
    }

    fn find_in(environment: &[(String, String)], root: &Path) -> Option<Self> {
        for (variable, count) in [(NVIDIA, nvidia(root)), (AMD, amd(root))] {
            let selected = environment.iter().find(|(name, _)| name == variable);
            let names: Vec<_> = match selected {
                Some((_, names)) => selection(names),
                None => (0..count).map(|number| number.to_string()).collect(),
            };
            if !names.is_empty() {
                return Some(Self { variable, names });
            }
        }
        None
    }

    /// The environment of a process for each group of `size` of these GPUs.
    pub fn environments(
        &self,
        size: usize,
        environment: &[(String, String)],
    ) -> Vec<Vec<(String, String)>> {
        let groups = self.names.chunks(size.max(1));
        let environment_of = |group: &[String]| {
            let others = environment.iter().filter(|(name, _)| name != self.variable).cloned();
            others.chain([(self.variable.to_owned(), group.join(","))]).collect()
        };
        groups.map(environment_of).collect()
    }
}

/// The names in a variable. Those after an invalid one do not count.
///
/// Source: "Environment Variables" in the CUDA C++ Programming Guide; `ROCm` does the same.
fn selection(names: &str) -> Vec<String> {
    let names = names.split(',').map(str::trim);
    names.take_while(|name| !name.is_empty() && *name != "-1").map(str::to_owned).collect()
}

/// How many devices there are like `/dev/nvidia0`. CUDA numbers those that it sees from 0.
fn nvidia(root: &Path) -> usize {
    let is_gpu = |name: &str| {
        let number = name.strip_prefix("nvidia");
        number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    names(&root.join("dev")).filter(|name| is_gpu(name)).count()
}

/// How many nodes of AMD's compute driver are GPUs. A CPU has the id 0.
fn amd(root: &Path) -> usize {
    let nodes = root.join("sys/class/kfd/kfd/topology/nodes");
    let id = |node: String| fs::read_to_string(nodes.join(node).join("gpu_id")).ok();
    names(&nodes).filter_map(id).filter(|id| id.trim() != "0").count()
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn found(environment: &[(&str, &str)], files: &[(&str, &str)]) -> Option<String> {
        let root = tempfile::tempdir().unwrap();
        for (file, content) in files {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        let gpus = Gpus::find_in(&variables(environment), root.path())?;
        Some(format!("{}={}", gpus.variable, gpus.names.join(",")))
    }

    #[test]
    fn gpus_are_counted_unless_a_variable_selects_some() {
        let nvidia = [("dev/nvidia2", ""), ("dev/nvidia5", ""), ("dev/nvidiactl", "")];
        let node = |number: u32| format!("sys/class/kfd/kfd/topology/nodes/{number}/gpu_id");
        let amd = [(&*node(0), "0\n"), (&*node(1), "51966\n")];
        assert_eq!(found(&[], &nvidia).as_deref(), Some("CUDA_VISIBLE_DEVICES=0,1"));
        assert_eq!(found(&[], &amd).as_deref(), Some("HIP_VISIBLE_DEVICES=0"));
        assert_eq!(found(&[], &[("dev/null", "")]), None);
        let selected = [("CUDA_VISIBLE_DEVICES", "GPU-7, 3")];
        assert_eq!(found(&selected, &nvidia).as_deref(), Some("CUDA_VISIBLE_DEVICES=GPU-7,3"));
        for none in ["", "-1", "-1,0"] {
            assert_eq!(found(&[("CUDA_VISIBLE_DEVICES", none)], &nvidia), None, "{none}");
        }
    }

    #[test]
    fn each_process_sees_its_own_gpus() {
        let gpus = Gpus { variable: NVIDIA, names: vec!["0".into(), "1".into(), "2".into()] };
        let environments = gpus.environments(2, &variables(&[("A", "1"), (NVIDIA, "0,1,2")]));
        assert_eq!(
            environments,
            [variables(&[("A", "1"), (NVIDIA, "0,1")]), variables(&[("A", "1"), (NVIDIA, "2")])]
        );
    }
}

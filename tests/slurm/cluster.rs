//! A Slurm cluster in containers: a controller, on which the artist logs in, and nodes. They share a
//! folder, the program and a network. Accounting is off, as on a small cluster.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::engine::{LABEL, Name, docker, printed};
use crate::support::{program, scene};

/// The image of each machine, which `make test-slurm` builds.
const IMAGE: &str = "render-worker-slurm";

/// The folder that the machines share.
const SHARED: &str = "/work";

/// The time limit of every wait: a lost node is noticed after half a minute, and a time limit of Slurm is
/// a minute or more.
const LIMIT: Duration = Duration::from_mins(4);

/// The nodes of the default partition, one of which is lost during the tests, and of the partition
/// `steady`.
const NODES: [&str; 4] = ["node1", "node2", "node3", "steady1"];

/// The configuration of Slurm. Each node of the default partition runs one task at a time.
const CONFIGURATION: &str = "
ClusterName=test
SlurmctldHost=controller
SlurmUser=root
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=1
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
SlurmdTimeout=30
KillWait=30
NodeName=node[1-3] CPUs=1
NodeName=steady1 CPUs=8
PartitionName=render Nodes=node[1-3] Default=YES MaxTime=INFINITE
PartitionName=steady Nodes=steady1 MaxTime=INFINITE
";

/// The cluster. Dropping it removes the containers and the network.
///
/// The fields are dropped in this order: a network with machines cannot be removed.
pub struct Cluster {
    machines: Vec<(&'static str, Name)>,
    network: Network,
    folder: TempDir,
}

/// A network of the container engine. Dropping it removes it.
struct Network(String);

impl Drop for Network {
    fn drop(&mut self) {
        docker(["network", "rm", &self.0]);
    }
}

impl Cluster {
    /// Returns the cluster that all tests share.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let cluster = shared.upgrade().unwrap_or_else(|| Arc::new(Self::start()));
        *shared = Arc::downgrade(&cluster);
        cluster
    }

    fn start() -> Self {
        let name = |part: &str| format!("{LABEL}-slurm-{}-{part}", std::process::id());
        let network = Network(name("network"));
        printed(docker(["network", "create", "--label", LABEL, &network.0]));
        let mut cluster = Self { machines: Vec::new(), network, folder: shared_folder() };
        for machine in ["controller"].into_iter().chain(NODES) {
            cluster.machines.push((machine, Name(name(machine))));
            cluster.boot(machine);
        }
        cluster.wait_until("all nodes are idle", || {
            let states = cluster.runs("sinfo --noheader --Node --format=%t");
            states.split_whitespace().filter(|&state| state == "idle").count() == NODES.len()
        });
        cluster
    }

    /// Starts a machine.
    fn boot(&self, machine: &str) {
        let daemon = if machine == "controller" { "slurmctld" } else { "slurmd" };
        let script = format!(
            "install -o munge -g munge -m 400 {SHARED}/.config/munge.key /etc/munge/munge.key \
             && install -d -o munge -g munge /run/munge \
             && cp {SHARED}/.config/slurm.conf {SHARED}/.config/cgroup.conf /etc/slurm/ \
             && runuser -u munge -- munged && exec {daemon} -D"
        );
        let shared = format!("{}:{SHARED}", self.folder.path().display());
        let worker = format!("{}:/usr/local/bin/render-worker:ro", program().display());
        let mut run = self.name(machine).docker_run();
        run.args(["--detach", "--hostname", machine, "--network", &self.network.0]);
        run.args(["--network-alias", machine, "--volume", &shared, "--volume", &worker]);
        printed(run.args([IMAGE, "bash", "-c", &script]).output().expect("docker starts"));
    }

    fn name(&self, machine: &str) -> &Name {
        let found = self.machines.iter().find(|(name, _)| *name == machine);
        &found.expect("a machine").1
    }

    /// Kills a node, as a failure of its power would.
    pub fn lose(&self, node: &str) {
        printed(docker(["kill", &self.name(node).0]));
    }

    /// Returns a path in the shared folder, on this machine.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a script of the administrator with success, and returns its standard output.
    #[track_caller]
    pub fn runs(&self, script: &str) -> String {
        printed(self.command("root", script).output().expect("docker starts"))
    }

    /// Runs a script of the artist with success, in the shared folder and in `bash`, and returns its
    /// standard output.
    #[track_caller]
    pub fn artist(&self, script: &str) -> String {
        // Debian's Blender cannot denoise. The pictures are small.
        let settings = "export DENOISE=off RESOLUTION=25% SAMPLES=1";
        let output = self.command("artist", &format!("set -e\n{settings}\n{script}")).output();
        printed(output.expect("docker starts"))
    }

    fn command(&self, user: &str, script: &str) -> Command {
        let mut command = Command::new("docker");
        let name = &self.name("controller").0;
        command.args(["exec", "--user", user, "--workdir", SHARED, name, "bash", "-c", script]);
        command.stdin(Stdio::null());
        command
    }

    /// Returns the tasks of an array, or a job as its only task.
    pub fn tasks(&self, job: &str) -> Vec<Task> {
        let shown = self.runs(&format!("scontrol show job --oneliner {job}"));
        shown.lines().filter(|line| !line.is_empty()).map(Task::parse).collect()
    }

    /// Waits until a job or all tasks of an array have ended, and returns them. Jobs that are started
    /// again need not wait for two minutes.
    #[track_caller]
    pub fn wait(&self, job: &str) -> Vec<Task> {
        let mut tasks = Vec::new();
        self.wait_until(&format!("job {job} ends"), || {
            tasks = self.tasks(job);
            for task in tasks.iter().filter(|task| task.reason == "BeginTime") {
                self.runs(&format!("scontrol update JobId={} StartTime=now", task.id));
            }
            tasks.iter().all(Task::has_ended)
        });
        tasks
    }

    /// Polls until `holds` returns true.
    #[track_caller]
    pub fn wait_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !holds() {
            if Instant::now() > deadline {
                let jobs = self.runs("sinfo; squeue --states=all; tail --lines=20 *.log || true");
                panic!("never happened: {what}\n{jobs}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Returns the log of a job, whose file has this name in the shared folder.
    #[track_caller]
    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
    }
}

/// Creates the shared folder: the configuration, a scene of 24 frames and the script of the jobs.
fn shared_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let anybody = |path: &Path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("our own folder");
    };
    anybody(folder.path());
    fs::create_dir_all(path(".config")).expect("a writable folder");
    fs::write(path(".config/slurm.conf"), CONFIGURATION).expect("a writable folder");
    fs::write(path(".config/cgroup.conf"), "CgroupPlugin=disabled\n").expect("a writable folder");
    let mut key = Vec::new();
    let random = fs::File::open("/dev/urandom").expect("random bytes");
    random.take(1024).read_to_end(&mut key).expect("random bytes");
    fs::write(path(".config/munge.key"), key).expect("a writable folder");
    fs::copy(scene("demo"), path("scene.blend")).expect("a writable folder");
    fs::create_dir_all(path("deploy/slurm")).expect("a writable folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/slurm/job.sbatch");
    fs::copy(script, path("deploy/slurm/job.sbatch")).expect("a writable folder");
    folder
}

/// A job, or a task of an array, as `scontrol` shows it.
#[derive(Debug)]
pub struct Task {
    /// The id of the job; every task of an array has its own.
    pub id: String,
    /// The number in the array; empty for a job that is none.
    pub number: String,
    /// `RUNNING`, `COMPLETED` and so on.
    pub state: String,
    /// Why it is in this state.
    pub reason: String,
    /// How often it was started again.
    pub restarts: u32,
    /// The exit code of its script.
    pub exit_code: String,
    /// The nodes that it runs or ran on.
    pub nodes: String,
}

impl Task {
    fn parse(line: &str) -> Self {
        let value = |name: &str| {
            let mut pairs = line.split_whitespace().filter_map(|word| word.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        };
        Self {
            id: value("JobId").expect("an id"),
            number: value("ArrayTaskId").unwrap_or_default(),
            state: value("JobState").expect("a state"),
            reason: value("Reason").unwrap_or_default(),
            restarts: value("Restarts").and_then(|text| text.parse().ok()).unwrap_or_default(),
            exit_code: value("ExitCode").unwrap_or_default(),
            nodes: value("NodeList").unwrap_or_default(),
        }
    }

    fn has_ended(&self) -> bool {
        !["PENDING", "RUNNING", "COMPLETING", "REQUEUED"].contains(&self.state.as_str())
    }
}

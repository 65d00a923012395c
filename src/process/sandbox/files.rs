//! Landlock: which files a child can open.
//!
//! A child cannot open, create, rename or remove files that are not listed. It can still see
//! their sizes and times, which Landlock does not restrict. Source:
//! <https://docs.kernel.org/userspace-api/landlock.html>.

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, Ruleset, RulesetAttr as _,
    RulesetCreated, RulesetCreatedAttr as _, Scope, path_beneath_rules,
};

use super::SandboxPolicy;

/// The newest interface version that this crate uses. Everything that it can restrict is denied, as
/// far as the kernel supports it.
const NEWEST: ABI = ABI::V9;

/// The folders where systems keep programs and libraries.
pub(crate) const SOFTWARE: [&str; 9] =
    ["/bin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/sbin", "/usr", "/nix/store"];

/// The system files that programs read: to find and configure libraries, to look up user names, the
/// time zone and the hardware. `/etc` is allowed only in part. `/proc` is allowed as a whole: the
/// kernel itself hides there what a process must not see.
const SYSTEM: [&str; 32] = [
    "/etc/OpenCL",
    "/etc/alternatives",
    "/etc/crypto-policies",
    "/etc/drirc",
    "/etc/egl",
    "/etc/fonts",
    "/etc/glvnd",
    "/etc/gnutls",
    "/etc/group",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/locale.alias",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/nvidia",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/python3",
    "/etc/ssl/openssl.cnf",
    "/etc/timezone",
    "/etc/vulkan",
    "/proc",
    "/sys/bus",
    "/sys/class",
    "/sys/dev",
    "/sys/devices",
    "/sys/fs/cgroup",
    "/sys/kernel/mm",
    "/sys/module",
];

/// Devices that hold no data.
const DEVICES: [&str; 5] = ["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];

/// Prefixes of the names of GPUs in `/dev`: Intel and AMD, AMD's compute interface, NVIDIA, and
/// NVIDIA and Mesa under WSL.
const GPU_PREFIXES: [&str; 4] = ["dri", "kfd", "nvidia", "dxg"];

/// Restricts the calling thread permanently. Returns the version of the kernel's interface.
///
/// # Errors
/// If the kernel does not support Landlock, or refuses the rules.
pub(crate) fn restrict_thread(policy: &SandboxPolicy) -> io::Result<i32> {
    let status = rules(policy)
        .and_then(RulesetCreated::restrict_self)
        .map_err(|error| io::Error::other(format!("Landlock: {error}")))?;
    match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => Ok(effective_abi as i32),
        LandlockStatus::NotEnabled => Err(io::Error::other("not enabled in this kernel")),
        LandlockStatus::NotImplemented => Err(io::Error::other("not in this kernel")),
    }
}

fn rules(policy: &SandboxPolicy) -> Result<RulesetCreated, landlock::RulesetError> {
    let execute = AccessFs::from_read(NEWEST);
    let read: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    // Denied even in writable folders: symbolic links, devices, programs.
    let denied = AccessFs::Execute
        | AccessFs::MakeSym
        | AccessFs::MakeChar
        | AccessFs::MakeBlock
        | AccessFs::IoctlDev
        | AccessFs::ResolveUnix;
    let write = AccessFs::from_all(NEWEST) & !denied;
    let device = AccessFs::ReadFile | AccessFs::WriteFile;
    let gpu = device | AccessFs::ReadDir | AccessFs::IoctlDev;
    Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(SOFTWARE, execute))?
        .add_rules(path_beneath_rules(SYSTEM, read))?
        .add_rules(path_beneath_rules(DEVICES, device))?
        .add_rules(path_beneath_rules(gpus(), gpu))?
        .add_rules(path_beneath_rules(&policy.run, execute))?
        .add_rules(path_beneath_rules(&policy.read, read))?
        .add_rules(path_beneath_rules(&policy.list, AccessFs::ReadDir))?
        .add_rules(path_beneath_rules(&policy.write, write))
}

fn gpus() -> Vec<std::path::PathBuf> {
    let Ok(devices) = Path::new("/dev").read_dir() else { return Vec::new() };
    let paths = devices.filter_map(|device| Some(device.ok()?.path()));
    let is_gpu = |path: &std::path::PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        GPU_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    paths.filter(is_gpu).collect()
}

//! Landlock: which files a child can open.
//!
//! What is not listed cannot be opened, created, renamed or removed. It can still be
//! looked at from outside: names, sizes and times are no secret to Landlock. Source:
//! <https://docs.kernel.org/userspace-api/landlock.html>.

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, Ruleset, RulesetAttr as _,
    RulesetCreated, RulesetCreatedAttr as _, Scope, path_beneath_rules,
};

use super::SandboxPolicy;

/// Everything this version knows is denied where the kernel knows it too.
const NEWEST: ABI = ABI::V9;

/// Where systems keep programs and what these are made of.
pub(crate) const SOFTWARE: [&str; 9] =
    ["/bin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/sbin", "/usr", "/nix/store"];

/// What programs read of the system: how libraries are found and set up, names of users,
/// the time zone, what hardware there is. Of `/etc` only what is named, and of `/proc`
/// everything: the kernel itself keeps there from each process what it must not see.
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

/// Devices without a memory.
const DEVICES: [&str; 5] = ["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];

/// How the names of GPUs begin in `/dev`: Intel and AMD, AMD's compute interface,
/// NVIDIA, NVIDIA and Mesa under WSL.
const GPUS: [&str; 4] = ["dri", "kfd", "nvidia", "dxg"];

/// Locks the calling thread in; the result is the version of the kernel's interface.
///
/// # Errors
/// If the kernel has no Landlock, or refuses.
pub(crate) fn lock_in(policy: &SandboxPolicy) -> io::Result<i32> {
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
    // No links that lead elsewhere, no devices, no programs.
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
        GPUS.iter().any(|start| name.starts_with(start))
    };
    paths.filter(is_gpu).collect()
}

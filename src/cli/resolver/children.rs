//! The variables that Blender and FFmpeg get: those listed here, and no others. A scene can read
//! all of them.

use std::path::{Path, PathBuf};

use crate::cli::{Environment, UsageError};
use crate::request::is_secret_name;

/// Variables by name. HOME, TMPDIR and the language are set by each launch.
const NAMES: [&str; 22] = [
    "PATH",
    "TZ",
    "LD_LIBRARY_PATH",
    // Colour management.
    "OCIO",
    // OpenGL without a display, and its driver.
    "EGL_PLATFORM",
    "DRI_PRIME",
    "GALLIUM_DRIVER",
    "LP_NUM_THREADS",
    "VK_DRIVER_FILES",
    "VK_ICD_FILENAMES",
    "OCL_ICD_VENDORS",
    // The choice of GPUs. NVIDIA's container runtime sets the first three.
    "NVIDIA_VISIBLE_DEVICES",
    "NVIDIA_DRIVER_CAPABILITIES",
    "NVIDIA_TF32_OVERRIDE",
    "GPU_DEVICE_ORDINAL",
    "GPU_MAX_HW_QUEUES",
    "ZE_AFFINITY_MASK",
    "ONEAPI_DEVICE_SELECTOR",
    "NEOReadDebugKeys",
    // Threads, and the memory that each may hold.
    "GOMP_CPU_AFFINITY",
    "KMP_AFFINITY",
    "MALLOC_ARENA_MAX",
];

/// Variables by prefix: the GPUs of NVIDIA, AMD and Intel, OpenGL and Vulkan, threads, and the
/// folders of Blender's own files.
const PREFIXES: [&str; 15] = [
    "CUDA_",
    "ROCR_",
    "ROCM_",
    "HIP_",
    "HSA_",
    "AMD_",
    "SYCL_",
    "__EGL_",
    "__GL_",
    "__GLX_",
    "LIBGL_",
    "MESA_",
    "OMP_",
    "BLENDER_USER_",
    "BLENDER_SYSTEM_",
];

/// The variables that a child gets, sorted by name: those listed here, and those in `passed`.
///
/// # Errors
/// If one of them is not UTF-8: without it, frames could look different.
pub fn environment(
    all: &Environment,
    passed: &[String],
) -> Result<Vec<(String, String)>, UsageError> {
    let kept = |name: &str| {
        let listed = NAMES.contains(&name);
        let begins = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        listed || begins && !is_secret_name(name) || passed.iter().any(|wanted| wanted == name)
    };
    all.readable(kept)?;
    let kept = all.all().filter(|(name, _)| kept(name));
    let mut kept: Vec<_> = kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    kept.sort();
    Ok(kept)
}

/// The paths in these variables, which the programs must be able to read.
pub fn named_paths(environment: &[(String, String)]) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for (name, value) in environment {
        let listed = value.split(':').map(Path::new).filter(|path| path.is_absolute());
        match name.as_str() {
            // A configuration names tables that lie beside it.
            "OCIO" => paths.extend(listed.filter_map(Path::parent).map(Path::to_owned)),
            "LD_LIBRARY_PATH" | "VK_DRIVER_FILES" | "VK_ICD_FILENAMES" | "OCL_ICD_VENDORS" => {
                paths.extend(listed.map(Path::to_owned));
            }
            name if name.starts_with("BLENDER_") || name.starts_with("__EGL_") => {
                paths.extend(listed.map(Path::to_owned));
            }
            _ => {}
        }
    }
    // A root folder is a mistake: it would open everything.
    paths.retain(|path| path.parent().is_some());
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_gets_what_is_listed_and_what_is_passed() {
        let all = Environment::from([
            ("PATH", "/bin"),
            ("HOME", "/root"),
            ("OCIO", "/c/config.ocio"),
            ("CUDA_VISIBLE_DEVICES", ""),
            ("CUDA_API_KEY", "secret"),
            ("NVIDIA_API_KEY", "secret"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials"),
            ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4"),
            ("GITHUB_TOKEN", "secret"),
            ("LD_PRELOAD", "/lib/x.so"),
            ("BLENDER", "/opt/blender"),
            ("BLENDER_USER_CONFIG", "/config"),
        ]);
        let names = |passed: &[&str]| {
            let passed: Vec<_> = passed.iter().map(|&name| name.to_owned()).collect();
            let names = environment(&all, &passed).unwrap().into_iter().map(|(name, _)| name);
            names.collect::<Vec<_>>()
        };
        let listed = ["BLENDER_USER_CONFIG", "CUDA_VISIBLE_DEVICES", "OCIO", "PATH"];
        assert_eq!(names(&[]), listed);
        assert_eq!(names(&["LD_PRELOAD", "NOT_SET"]).len(), listed.len() + 1);
        assert!(names(&["GITHUB_TOKEN"]).contains(&"GITHUB_TOKEN".to_owned()));
    }

    #[test]
    fn what_variables_name_can_be_read() {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let paths = named_paths(&[
            variable("OCIO", "/c/aces/config.ocio"),
            variable("LD_LIBRARY_PATH", "/a/lib:relative::/b/lib"),
            variable("BLENDER_USER_CONFIG", "/config"),
            variable("CUDA_CACHE_PATH", "/cache"),
        ]);
        let expected = ["/c/aces", "/a/lib", "/b/lib", "/config"];
        assert_eq!(paths, expected.map(PathBuf::from));
        for nothing in ["ocio://default", "/config.ocio"] {
            assert!(named_paths(&[variable("OCIO", nothing)]).is_empty(), "{nothing}");
        }
    }
}

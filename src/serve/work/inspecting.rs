//! Looks into a scene with `inspect`: Blender opens it, and nothing is rendered.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};
use tokio::task::spawn_blocking;

use super::child;
use crate::ending::Ending;
use crate::process::shutdown::Shutdown;
use crate::process::supervisor::{End, Stream};
use crate::request::ServeJob;
use crate::serve::store::item::Kind as _;
use crate::serve::store::making::{Making, Outcome};
use crate::serve::store::render::Render;
use crate::serve::store::render::inspection::{Inspected, Inspection};

/// Looks into scenes, one at a time.
#[derive(Debug)]
pub struct Inspector {
    job: ServeJob,
    shutdown: Shutdown,
    slot: Semaphore,
}

impl Inspector {
    /// With the variables of a server.
    pub fn new(job: &ServeJob, shutdown: &Shutdown) -> Self {
        Self { job: job.clone(), shutdown: shutdown.clone(), slot: Semaphore::new(1) }
    }

    /// Looks into the scene of a render in the background, unless that is done already.
    pub fn begin(self: &Arc<Self>, render: &Arc<Render>, of: Inspected) {
        if !render.set_inspecting(true) {
            return;
        }
        let (inspector, render) = (Arc::clone(self), Arc::clone(render));
        tokio::spawn(async move {
            // Never an error: it is not closed.
            let _slot = inspector.slot.acquire().await;
            let result = inspector.inspect(&render, &of.main).await;
            if inspector.shutdown.requested().is_none() {
                let of_render = Arc::clone(&render);
                let written = spawn_blocking(move || result.write(of_render.item().folder(), of));
                let written = written.await.map_err(io::Error::other).and_then(|it| it);
                if let Err(error) = written {
                    let id = &render.item().id;
                    tracing::warn!("cannot keep what is known of the scene of {id}: {error}");
                }
            }
            render.set_inspecting(false);
        });
    }

    async fn inspect(&self, render: &Render, main: &str) -> Inspection {
        let mut arguments: Vec<OsString> =
            ["inspect", "--deep", "--json", "--log-format", "json"].map(OsString::from).to_vec();
        arguments.extend(["--input-uri".into(), render.scene_folder().join(main).into()]);
        let failed = |error: String| Inspection::Failed { error, advice: None };
        let command = match child::scene_command(&self.job, arguments) {
            Ok(command) => command,
            Err(error) => return failed(format!("The scene cannot be opened: {error}")),
        };
        let mut document = String::new();
        let mut outcome = Outcome::of(render.item().folder());
        // Nobody stops it: it ends by itself after a while.
        let never = Notify::new();
        let ended = child::run(command, &never, &self.shutdown, |stream, line| match stream {
            Stream::Stdout => {
                document.push_str(line);
                document.push('\n');
            }
            Stream::Stderr => outcome.read(line),
        });
        match ended.await {
            Ok(End::Own(Ending::Code(0))) => match serde_json::from_str(&document) {
                Ok(scene) => Inspection::Done { scene },
                Err(error) => failed(format!("The scene cannot be described: {error}")),
            },
            Ok(_) => match outcome.making() {
                Making::Failed(failure) => {
                    Inspection::Failed { error: failure.error, advice: failure.advice }
                }
                _ => failed("The scene cannot be opened".to_owned()),
            },
            Err(error) => failed(format!("The scene cannot be opened: {error}")),
        }
    }
}

# The worker's image: the static binary on top of a runtime, which is Blender and FFmpeg on Debian.
# docs/image.md says what can be built and what is in it.

# The Debian that the runtime is made of, and Rust on any Debian.
ARG BASE=debian:trixie-slim
ARG RUST=rust:1-slim-trixie
# What the worker is put on: the runtime below, or any image that has Blender and FFmpeg on PATH.
ARG RUNTIME=runtime
# Where Blender comes from: wheel, official or debian; unset, the official wheel on amd64 and Debian
# elsewhere. Its version; of a release, the checksum of
# BLENDER_MIRROR/Blender4.5/blender-4.5.3-linux-x64.tar.xz.
ARG BLENDER
ARG BLENDER_VERSION
ARG BLENDER_SHA256
ARG BLENDER_MIRROR=https://download.blender.org/release
# With or without what renders on GPUs.
ARG GPU=with


# The runtime, in five stages. BuildKit builds none of them for another RUNTIME; Docker's legacy
# builder builds all stages of every file, so each does nothing then, and says so in its condition.

# A Blender that is not Debian's, or an empty folder.
FROM ${RUST} AS blender
ARG RUNTIME
ARG BLENDER
ARG BLENDER_VERSION
ARG BLENDER_SHA256
ARG BLENDER_MIRROR
ARG GPU
COPY deploy/image/blender deploy/image/bpy-*.txt deploy/image/fetch deploy/image/official \
     deploy/image/slim deploy/image/source deploy/image/wheel deploy/image/wheel-left-out \
     /usr/local/lib/render-worker/
RUN mkdir -p /opt/blender \
 && if [ "$RUNTIME" = runtime ]; then /usr/local/lib/render-worker/fetch /opt/blender; fi

# Debian's packages, without those that are not used.
FROM ${BASE} AS packages
ARG RUNTIME
ARG BLENDER
ARG BLENDER_VERSION
COPY deploy/image/bpy-*.txt deploy/image/dpkg.cfg deploy/image/install deploy/image/left-out \
     deploy/image/source /usr/local/lib/render-worker/
RUN if [ "$RUNTIME" = runtime ]; then /usr/local/lib/render-worker/install; fi

# Those, and Blender.
FROM packages AS programs
COPY --from=blender /opt/blender /opt/blender
COPY deploy/image/programs deploy/image/wheel-left-out /usr/local/lib/render-worker/
ENV PATH=/opt/blender:${PATH}

# Stubs for libraries that these ask for and that are left out.
FROM programs AS stubs
ARG RUNTIME
COPY deploy/image/stub.c deploy/image/stubs /usr/local/lib/render-worker/
RUN mkdir -p /usr/lib/render-worker/stubs \
 && if [ "$RUNTIME" = runtime ]; then \
      apt-get update \
      && apt-get install -y --no-install-recommends binutils gcc \
      && /usr/local/lib/render-worker/stubs /usr/lib/render-worker/stubs; \
    fi

FROM programs AS runtime
ARG BASE
ARG RUNTIME
LABEL org.opencontainers.image.base.name="${BASE}"
COPY --from=stubs /usr/lib/render-worker/stubs /usr/lib/render-worker/stubs
COPY deploy/image/check deploy/image/finish /usr/local/lib/render-worker/
# What NVIDIA's container runtime puts into a container that is given a GPU: CUDA, nvidia-smi, and
# for EEVEE and OptiX the graphics driver.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics
RUN if [ "$RUNTIME" = runtime ]; then /usr/local/lib/render-worker/finish; fi


# The worker. Its dependencies are a layer apart from its source.
FROM ${RUST} AS build
WORKDIR /build
ENV RUSTFLAGS="-C target-feature=+crt-static"
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
 && touch src/lib.rs \
 && echo 'fn main() {}' >src/main.rs \
 && rustc -vV | sed -n 's/^host: //p' >target-triple \
 && cargo build --release --locked --target "$(cat target-triple)"
COPY src src
RUN touch src/lib.rs src/main.rs \
 && cargo build --release --locked --target "$(cat target-triple)" \
 && cp "target/$(cat target-triple)/release/render-worker" /render-worker


FROM ${RUNTIME}
# Nobody in particular: any --user does as well, and HOME is where each of them may write.
ENV HOME=/tmp
WORKDIR /work
USER 1000:1000
# It means "end in time" to the worker; another RUNTIME may have set another signal.
STOPSIGNAL SIGTERM
ENTRYPOINT ["render-worker"]
CMD ["--help"]
COPY --from=build /render-worker /usr/local/bin/render-worker

# Last, because they differ with every build.
ARG VERSION
ARG REVISION
ARG BRANCH
ARG CREATED
ENV RENDER_WORKER_VERSION="${VERSION}" \
    RENDER_WORKER_REVISION="${REVISION}" \
    RENDER_WORKER_BRANCH="${BRANCH}" \
    RENDER_WORKER_CREATED="${CREATED}"
LABEL org.opencontainers.image.title="render-worker" \
      org.opencontainers.image.description="Renders frames of Blender scenes and stitches them to videos" \
      org.opencontainers.image.licenses="(MIT OR Apache-2.0) AND GPL-3.0-or-later" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.ref.name="${BRANCH}"

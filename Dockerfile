# The worker's image: the static binary on top of a runtime, which is Blender and FFmpeg on Debian.
# docs/image.md describes the build arguments and the content.

# The Debian below the runtime, and Rust on any Debian.
ARG BASE=debian:trixie-slim
ARG RUST=rust:1-slim-trixie
# The base of the worker: the runtime below, or any image that has Blender and FFmpeg on PATH.
ARG RUNTIME=runtime
# The source of Blender: wheel, official or debian. If unset, the official wheel on amd64, and
# Debian elsewhere. Then its version and, for a release, the checksum of a tarball such as
# BLENDER_MIRROR/Blender4.5/blender-4.5.3-linux-x64.tar.xz.
ARG BLENDER
ARG BLENDER_VERSION
ARG BLENDER_SHA256
ARG BLENDER_MIRROR=https://download.blender.org/release
# `with` or `without` the kernels for GPUs.
ARG GPU=with


# The runtime, in five stages. With another RUNTIME, BuildKit builds none of them. Docker's legacy
# builder builds all stages of a file, so a condition in each of them makes it do nothing.

# A Blender from blender.org, or an empty folder.
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

# Debian's packages, without the unused ones.
FROM ${BASE} AS packages
ARG RUNTIME
ARG BLENDER
ARG BLENDER_VERSION
COPY deploy/image/bpy-*.txt deploy/image/dpkg.cfg deploy/image/install deploy/image/left-out \
     deploy/image/source /usr/local/lib/render-worker/
RUN if [ "$RUNTIME" = runtime ]; then /usr/local/lib/render-worker/install; fi

# The packages, and Blender.
FROM packages AS programs
COPY --from=blender /opt/blender /opt/blender
COPY deploy/image/programs deploy/image/wheel-left-out /usr/local/lib/render-worker/
ENV PATH=/opt/blender:${PATH}

# Stubs for the left out libraries that the programs are linked with.
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
# NVIDIA's container runtime adds these to a container with a GPU: CUDA, nvidia-smi and, for EEVEE
# and OptiX, the graphics driver.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics
RUN if [ "$RUNTIME" = runtime ]; then /usr/local/lib/render-worker/finish; fi


# The worker. Its dependencies and its source are separate layers.
FROM ${RUST} AS build
WORKDIR /build
# The same as in the Makefile.
ENV RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs \
    --remap-path-prefix=$CARGO_HOME/registry/src/= \
    --remap-path-prefix=$CARGO_HOME/registry/src/index.crates.io-1949cf8c6b5b557f/="
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
 && touch src/lib.rs \
 && echo 'fn main() {}' >src/main.rs \
 && rustc -vV | sed -n 's/^host: //p' >target-triple \
 && cargo build --release --locked --target "$(cat target-triple)"
COPY docs/schemas docs/schemas
COPY src src
RUN touch src/lib.rs src/main.rs \
 && cargo build --release --locked --target "$(cat target-triple)" \
 && cp "target/$(cat target-triple)/release/render-worker" /render-worker
COPY deploy/image/manuals ./
RUN ./manuals /render-worker /manuals


FROM ${RUNTIME}
# `serve`: in a container, only its own programs could open a page on loopback. Without a mounted
# folder, this one can be written to by any user.
ENV SERVER_NAME=0.0.0.0 \
    DATA_DIR=/tmp/render-worker-data
EXPOSE 7861
# An arbitrary user: any other --user works as well. All of them may write in HOME.
ENV HOME=/tmp
WORKDIR /work
USER 1000:1000
# On SIGTERM the worker stops in time. The RUNTIME may have set another signal.
STOPSIGNAL SIGTERM
ENTRYPOINT ["render-worker"]
CMD ["--help"]
COPY --from=build /render-worker /usr/local/bin/render-worker
COPY --from=build /manuals /usr/local

# At the end, because they differ in every build.
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

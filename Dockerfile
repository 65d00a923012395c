ARG BASE=debian:trixie-slim
ARG RUST=rust:1-slim-trixie
ARG RUNTIME=runtime

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

FROM ${BASE} AS runtime
RUN apt-get update \
 && apt-get install -y --no-install-recommends blender ffmpeg libegl1 ca-certificates \
 && rm -rf /var/lib/apt/lists/*

FROM ${RUNTIME}
COPY --from=build /render-worker /usr/local/bin/render-worker
USER 1000:1000
ENTRYPOINT ["render-worker"]
CMD ["--help"]

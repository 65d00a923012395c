# The commands of a working day. Each says what it needs and gets it, on Debian,
# if it may (root, or sudo without a password).

HOST    := $(shell rustc -vV | sed -n 's/^host: //p')
TARGET  ?= $(HOST)
SETTING := CARGO_TARGET_$(shell echo $(TARGET) | tr 'a-z-' 'A-Z_')
WORKER  := dist/render-worker
DEMO    := target/demo

ifneq ($(TARGET),$(HOST))
# Debian's name for the cross compiler: aarch64-linux-gnu-gcc.
export $(SETTING)_LINKER := $(subst -unknown,,$(TARGET))-gcc
endif

.PHONY: build test test-publish image demo lint tools clean

## build: the static release binary, dist/render-worker
build:
	$(SETTING)_RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --target $(TARGET)
	@mkdir -p dist
	cp target/$(TARGET)/release/render-worker $(WORKER)
	@ls -l $(WORKER)

## test: every test; those of the program's behaviour drive the static binary
test: tools build
	RENDER_WORKER_BIN=$(abspath $(WORKER)) cargo test --locked

## test-publish: the tests of deploy/publish; needs Docker, and gets the rest from Debian and PyPI
test-publish: tools
	.ci/tools-publish
	cargo test --locked --test publish

## image: the image for this machine, render-worker:VERSION and render-worker:latest
image:
	metadata=$$(deploy/metadata) && export $$metadata && docker build \
		--build-arg VERSION --build-arg REVISION --build-arg BRANCH --build-arg CREATED \
		--tag render-worker:$$VERSION --tag render-worker:latest .

## demo: render 24 frames of a scene of ours, make a video of them, show what it is
demo: tools build
	rm -rf $(DEMO)
	$(WORKER) render --input-uri fixtures/scenes/demo.blend --output-uri $(DEMO) \
		--first-frame scene --total-frames scene --frames-per-job 1000
	$(WORKER) stitch --input-uri $(DEMO) --output-uri $(DEMO)
	@echo
	@echo "The video: $(abspath $(DEMO))/output.mp4"
	@ffprobe -v error -count_frames -select_streams v -of compact=p=0 -show_entries \
		stream=codec_name,width,height,pix_fmt,color_space,r_frame_rate,nb_read_frames \
		$(DEMO)/output.mp4

## lint: what CI checks besides the tests
lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
	cargo clippy --locked --test publish -- -D warnings
	shellcheck .ci/run .ci/tools .ci/tools-publish fixtures/transcripts/record.sh
	shellcheck --external-sources deploy/metadata deploy/publish tests/publish/stand-ins/docker-buildx

## tools: Blender, FFmpeg and what the tests use, from Debian where they are missing
tools:
	.ci/tools

clean:
	cargo clean
	rm -rf dist

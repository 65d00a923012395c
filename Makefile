# The commands of a working day. Each says what it needs and gets it, on Debian,
# if it may (root, or sudo without a password).

SETTING  = CARGO_TARGET_$(shell echo $(TARGET) | tr 'a-z-' 'A-Z_')
STATIC   = -C target-feature=+crt-static
BUILT   := dist/render-worker
DEMO    := target/demo

ifdef TARGET
# Debian's name for the compiler: aarch64-linux-gnu-gcc.
export $(SETTING)_LINKER := $(subst -unknown,,$(TARGET))-gcc
else
TARGET   = $(shell rustc -vV | sed -n 's/^host: //p')
endif

# Another build to test and to show, instead of one that is made now.
ifdef RENDER_WORKER_BIN
BUILD  :=
WORKER := $(RENDER_WORKER_BIN)
else
BUILD  := build
WORKER := $(BUILT)
endif

# Another image to test.
ifndef RENDER_WORKER_IMAGE
IMAGE  := image
endif

# The official Blender, where .ci/tools has installed one, goes before the one on PATH.
WITH_BLENDER = blender=$$(.ci/blender) && PATH=$${blender:+$$blender:}$$PATH

# How long each fuzzer runs.
SECONDS  ?= 60

.PHONY: build test test-blenders chaos scale batch-sim bench fuzz image test-image test-publish test-deploy demo lint tools engine clean

## build: the static release binary, dist/render-worker
build:
	$(SETTING)_RUSTFLAGS="$(STATIC)" cargo build --release --locked --target $(TARGET)
	@mkdir -p dist
	cp target/$(TARGET)/release/render-worker $(BUILT)
	@ls -l $(BUILT)

## test: every test of the program; those of its behaviour drive the static binary
test: tools $(BUILD)
	$(WITH_BLENDER) RENDER_WORKER_BIN=$(abspath $(WORKER)) cargo test --locked

## test-blenders: the tests that use Blender, with every Blender that is supported; BLENDERS="3.4 5.3" chooses
test-blenders: tools engine $(BUILD)
	RENDER_WORKER_BIN=$(abspath $(WORKER)) tests/blenders/run $(BLENDERS)

## chaos: kill jobs at random moments, and see that nothing is lost; CHAOS_SEED=n repeats a run
chaos: tools $(BUILD)
	$(WITH_BLENDER) RENDER_WORKER_BIN=$(abspath $(WORKER)) cargo test --locked --test chaos

## scale: start 200 workers of an array job at once, and count what they ask of S3
scale: tools $(BUILD)
	RENDER_WORKER_BIN=$(abspath $(WORKER)) cargo test --locked --test scale

## batch-sim: the job definitions on a container engine, as AWS Batch would; BATCH_SIM_SEED=n repeats a run
batch-sim: tools engine $(IMAGE)
	cargo test --locked --test batch_sim

## bench: the worker beside what one could take instead, in a table; BENCH_ONLY="start objects" chooses
# In memory, unless TMPDIR says otherwise: a disk takes longer than any of the programs to
# make and delete thousands of files.
bench: tools $(BUILD)
	.ci/tools-bench
	$(WITH_BLENDER) $(SETTING)_RUSTFLAGS="$(STATIC)" RENDER_WORKER_BIN=$(abspath $(WORKER)) \
		TMPDIR=$${TMPDIR:-/dev/shm} \
		cargo bench --locked --target $(TARGET) --bench table

## fuzz: run each fuzzer for SECONDS=60
fuzz: tools
	command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz@0.13.2
	fuzz/run $(SECONDS)

## image: the container image for this machine, render-worker:VERSION and render-worker:latest
image: engine
	metadata=$$(deploy/metadata) && export $$metadata && docker build $(BUILD_OPTIONS) \
		--build-arg VERSION --build-arg REVISION --build-arg BRANCH --build-arg CREATED \
		--tag render-worker:$$VERSION --tag render-worker:latest .

## test-image: the tests of the image
test-image: tools engine $(IMAGE)
	cargo test --locked --test image

## test-publish: the tests of deploy/publish; they get what they need from Debian and PyPI
test-publish: tools engine
	.ci/tools-publish
	cargo test --locked --test publish

## test-deploy: the tests of deploy/batch; they get what they need from PyPI
test-deploy:
	.ci/tools-deploy
	cargo test --locked --test deploy

## demo: render 24 frames of a scene of ours, make a video of them, show what it is
demo: tools $(BUILD)
	rm -rf $(DEMO)
	$(WITH_BLENDER) $(WORKER) render --input-uri fixtures/scenes/demo.blend --output-uri $(DEMO) \
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
	cargo clippy --locked --test image --test publish --test chaos --test scale --test deploy --test batch_sim -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
	shellcheck --external-sources $$(git grep -lE '^#!.*\<(ba)?sh$$')

## tools: Blender, FFmpeg and what the tests use, where they are missing, from Debian and PyPI
tools:
	.ci/tools

## engine: a Docker Engine that answers and has the images that the Dockerfile starts from
engine:
	.ci/engine
	.ci/base-images

clean:
	cargo clean
	rm -rf dist

# The everyday commands. On Debian, each installs what it needs, as root or with passwordless sudo.

SETTING  = CARGO_TARGET_$(shell echo $(TARGET) | tr 'a-z-' 'A-Z_')
# The folder of the sources of crates, and the one in it that cargo names after crates.io.
SOURCES  = $(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src
CRATES   = index.crates.io-1949cf8c6b5b557f
# A static program relocates itself. Packed, its list of addresses takes a megabyte less. Its panics
# name source files, without these folders: they would tell where it was built, and make its size
# depend on it.
STATIC   = -C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs \
           --remap-path-prefix=$(SOURCES)/= --remap-path-prefix=$(SOURCES)/$(CRATES)/=
BUILT   := dist/render-worker
DEMO    := target/demo

ifdef TARGET
# The cross compiler has Debian's name, such as aarch64-linux-gnu-gcc.
export $(SETTING)_LINKER := $(subst -unknown,,$(TARGET))-gcc
else
TARGET   = $(shell rustc -vV | sed -n 's/^host: //p')
endif

# RENDER_WORKER_BIN is a build to use instead of making one.
ifdef RENDER_WORKER_BIN
BUILD  :=
WORKER := $(RENDER_WORKER_BIN)
else
BUILD  := build
WORKER := $(BUILT)
endif

# RENDER_WORKER_IMAGE is an image to test instead of building one.
ifndef RENDER_WORKER_IMAGE
IMAGE  := image
endif

# Puts the official Blender first on PATH, if .ci/tools has installed one.
WITH_BLENDER = blender=$$(.ci/blender) && PATH=$${blender:+$$blender:}$$PATH

# The run time of each fuzzer, in seconds.
SECONDS  ?= 60

.PHONY: help build test test-blenders chaos scale batch-sim bench fuzz image test-image test-browser test-publish test-deploy test-slurm demo lint tools engine clean

## help: what each target does
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## build: the static release binary, dist/render-worker
build:
	$(SETTING)_RUSTFLAGS="$(STATIC)" cargo build --release --locked --target $(TARGET)
	@mkdir -p dist
	cp target/$(TARGET)/release/render-worker $(BUILT)
	@ls -l $(BUILT)

## test: all tests of the program; those of its behaviour run the static binary
test: tools $(BUILD)
	$(WITH_BLENDER) RENDER_WORKER_BIN=$(abspath $(WORKER)) cargo test --locked

## test-blenders: the tests that use Blender, with every supported Blender or BLENDERS="3.4 5.3"
test-blenders: tools engine $(BUILD)
	RENDER_WORKER_BIN=$(abspath $(WORKER)) tests/blenders/run $(BLENDERS)

## chaos: kill jobs at random moments and check that nothing is lost; CHAOS_SEED=n repeats a run
chaos: tools $(BUILD)
	$(WITH_BLENDER) RENDER_WORKER_BIN=$(abspath $(WORKER)) cargo test --locked --test chaos

## scale: start 200 workers of an array job at once and count their requests to S3
scale: tools $(BUILD)
	$(WITH_BLENDER) RENDER_WORKER_BIN=$(abspath $(WORKER)) cargo test --locked --test scale

## batch-sim: run the job definitions as AWS Batch would; BATCH_SIM_SEED=n repeats a run
batch-sim: tools engine $(IMAGE)
	cargo test --locked --test batch_sim

## bench: compare the worker with its alternatives; BENCH_ONLY="start objects" runs single rows
# Runs in memory unless TMPDIR is set: creating and deleting thousands of files on a disk takes
# longer than any of the programs.
bench: tools $(BUILD)
	.ci/tools-bench
	$(WITH_BLENDER) $(SETTING)_RUSTFLAGS="$(STATIC)" RENDER_WORKER_BIN=$(abspath $(WORKER)) \
		TMPDIR=$${TMPDIR:-/dev/shm} \
		cargo bench --locked --target $(TARGET) --bench table

## fuzz: run each fuzzer for SECONDS=60
fuzz: tools
	command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz@0.13.2
	fuzz/run $(SECONDS)

## image: build the image for this machine, render-worker:VERSION and render-worker:latest
image: engine
	metadata=$$(deploy/metadata) && export $$metadata && docker build $(BUILD_OPTIONS) \
		--build-arg VERSION --build-arg REVISION --build-arg BRANCH --build-arg CREATED \
		--tag render-worker:$$VERSION --tag render-worker:latest .

## test-image: the tests of the image
test-image: tools engine $(IMAGE)
	cargo test --locked --test image

## test-browser: the tests of the web page, in Chromium; the pictures are in target/browser
test-browser: tools $(BUILD)
	.ci/tools-browser
	$(WITH_BLENDER) RENDER_WORKER_BIN=$(abspath $(WORKER)) cargo test --locked --test browser

## test-publish: the tests of deploy/publish, with tools from Debian and PyPI
test-publish: tools engine
	.ci/tools-publish
	cargo test --locked --test publish

## test-deploy: the tests of deploy/batch and deploy/kubernetes, with tools from PyPI
test-deploy: tools
	.ci/tools-deploy
	$(WITH_BLENDER) cargo test --locked --test deploy

## test-slurm: the tests of deploy/slurm, on a Slurm cluster in containers
test-slurm: tools engine
	docker build --quiet --tag render-worker-slurm tests/slurm
	cargo test --locked --test slurm

## demo: render 24 frames of an example scene, make a video of them and show its properties
demo: tools $(BUILD)
	rm -rf $(DEMO)
	$(WITH_BLENDER) $(WORKER) run --input-uri fixtures/scenes/demo.blend --output-uri $(DEMO)
	@echo
	@echo "The video: $(abspath $(DEMO))/output.mp4"
	@ffprobe -v error -count_frames -select_streams v -of compact=p=0 -show_entries \
		stream=codec_name,width,height,pix_fmt,color_space,r_frame_rate,nb_read_frames \
		$(DEMO)/output.mp4

## lint: what CI checks besides the tests
lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --test image --test browser --test publish --test chaos --test scale --test deploy --test slurm --test batch_sim -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
	shellcheck --external-sources $$(git grep -lE '^#!.*\<(ba)?sh$$')

## tools: install Blender, FFmpeg and what the tests need, if missing, from Debian and PyPI
tools:
	.ci/tools

## engine: a running Docker Engine with the base images of the Dockerfile
engine:
	.ci/engine
	.ci/base-images

## clean: remove everything that was built
clean:
	cargo clean
	rm -rf dist

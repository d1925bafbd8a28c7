# The short names; each is a line or two of the tools that do the work.
JOBS := $(shell nproc)
.PHONY: build all demo check check-all lint format bench install clean

build:
	@tools/setup
	@cmake --preset default --log-level=WARNING >/dev/null
	@cmake --build --preset default --target ddpm

all: build
	@cmake --build --preset default

demo: build
	@tools/demo

check: all
	@ctest --preset default -j $(JOBS) -LE 'slow|interop|fuzz'

check-all: all
	@ctest --preset default -j $(JOBS)

lint:
	@tools/setup --lint
	@tools/lint

format:
	@tools/lint --format

bench:
	@tools/setup
	@cmake --preset bench --log-level=WARNING >/dev/null && cmake --build --preset bench
	@build-bench/ddpm_engine_cpu_bench
	@build-bench/ddpm_metrics_bench

install: build
	@cmake --install build

clean:
	rm -rf build build-* demo-out

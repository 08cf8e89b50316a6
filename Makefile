# The ways to build, test and try Tenon; `make` lists them. CMakePresets.json has the rest.
# SPDX-License-Identifier: Apache-2.0

PRESET ?= release
PREFIX ?= $(HOME)/.local
JOBS   ?= $(shell nproc)

build := build/$(PRESET)
tenon := $(build)/bin/tenon

.DEFAULT_GOAL := help
.PHONY: help deps configure build quickstart arithmetic smollm2 fractions python test algorithms attack fuzz bench format install clean distclean

help: ## List these targets
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9]+):.*## (.*)/  make \1\t\2/' | expand -t 20
	@echo
	@echo '  PRESET=core|dev|release|asan|tidy (now $(PRESET)), PREFIX=$(PREFIX), JOBS=$(JOBS)'

deps: ## Install what the build needs: Debian packages, LibTorch into build/deps
	@.ci/deps packages $(if $(filter core tidy,$(PRESET)),,torch) $(if $(filter tidy,$(PRESET)),tools)

configure: deps
	@cmake --preset $(PRESET)

build: configure ## Build everything; the program is build/release/bin/tenon
	@cmake --build --preset $(PRESET) --parallel $(JOBS)

quickstart: build ## Train a small model to reason, in minutes
	$(tenon) run configs/quickstart.yaml

arithmetic: build ## Teach SmolLM2-135M-Instruct word problems, in 20 minutes (fetches the model, 98 MB)
	@.ci/deps smollm2
	$(tenon) run configs/arithmetic-smollm2.yaml

smollm2: build ## Train SmolLM2-135M-Instruct on GSM8K (fetches the model, 98 MB)
	@.ci/deps smollm2
	$(tenon) run configs/gsm8k-smollm2.yaml

fractions: build ## Train SmolLM2-135M-Instruct against the verifier math (fetches the model, 98 MB)
	@.ci/deps smollm2
	$(tenon) run configs/fractions-smollm2.yaml

python: build ## Train SmolLM2-135M-Instruct against the verifier code (fetches the model, 98 MB)
	@.ci/deps smollm2
	$(tenon) run configs/python-smollm2.yaml

test: build ## Build and run every test
	@ctest --preset $(PRESET)

algorithms: configure ## Check every algorithm plugin and print the matrix algorithm x test
	@cmake --build --preset $(PRESET) --parallel $(JOBS) --target algorithm_matrix
	@$(build)/tests/algorithm_matrix

attack: configure ## Run hostile programs against the sandbox of the reward `code` and print the table
	@cmake --build --preset $(PRESET) --parallel $(JOBS) --target code_attack
	@$(build)/tests/code_attack

fuzz: ## Run every fuzzer for a minute (FUZZ_SECONDS); corpora and findings stay in build/fuzz
	@.ci/deps packages tools
	@cmake -S . -B build/fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTENON_FUZZ=ON -DTENON_WITH_TORCH=OFF
	@cmake --build build/fuzz --parallel $(JOBS) --target fuzzers
	@tests/fuzz/run.sh build/fuzz $(or $(FUZZ_SECONDS),60)

bench: build ## Run the benches and print their tables
	@cmake --build --preset $(PRESET) --parallel $(JOBS) --target bench

format: ## Format the sources as .clang-format says
	@.ci/deps tools
	@git ls-files '*.c' '*.cpp' '*.cu' '*.cuh' '*.h' '*.hpp' | grep -v -e /third_party/ -e ^sdk/include/dlpack/ | xargs clang-format -i

install: build ## Install into PREFIX
	@cmake --install $(build) --prefix $(PREFIX)

clean: ## Remove this preset's build (build/deps stays)
	@cmake -E rm -rf $(build)

distclean: ## Remove build/, downloads included
	@cmake -E rm -rf build

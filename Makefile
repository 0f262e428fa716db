# Every target installs what it misses and needs no other command before it. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo up down test check bench soak plan package cloud images

TARGET := $(or $(CARGO_TARGET_DIR),target)
INSTALL := tests/checks/install.sh
BUILD := cargo build --locked --workspace --bins --examples

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Send README.md through three processors and verify what comes back on the webhook
	@$(INSTALL) build redis
	$(BUILD)
	$(TARGET)/debug/demo

up: ## Start the manager and three processors in the background
	@$(INSTALL) build redis
	$(BUILD)
	@BIN=$(TARGET)/debug tests/up.sh up

down: ## Stop what `make up` started
	@tests/up.sh down

test: ## Run every test, and the scenarios once more on a cluster of three shards: FORM=functions for the scenarios against functions
	@$(INSTALL) build redis
	$(BUILD)
ifdef FORM
	KIT_FORM=$(FORM) cargo test --locked --workspace --test it
else
	cargo test --locked --workspace
	KIT_STORE=cluster cargo test --locked --workspace --test it
endif

check: ## Check format, lints, imports, sizes, scripts, docs, licences; warnings denied
	@$(INSTALL) lint
	@tests/checks/run.sh

bench: ## Measure throughput and latency against the ceiling of this machine: MODE=lambda for starts and sizes of the functions
	@$(INSTALL) build redis
	cargo build --locked --release -p manager-svc -p baton-tests --bins
ifeq ($(MODE),lambda)
	@$(INSTALL) python
	PROFILE=function functions/package.py
	$(TARGET)/release/bench lambda $(TARGET)/function $(TARGET)/lambda
else
	$(TARGET)/release/bench
endif

soak: ## Run a load under faults and account for every action: SEED=n SOAK_SECONDS=60 BREAK=token|persist|lease|delivery MODE=isolation|memory
	@$(INSTALL) build redis
	cargo build --locked --release -p manager-svc -p baton-tests --bins
	$(TARGET)/release/soak $(MODE)

plan: ## Show what terraform would make, without an account: TIER=serverless|durable|external
	@$(INSTALL) terraform
	@tests/checks/terraform.py plan $(or $(TIER),serverless)

package: ## Zip every function for Lambda into target/lambda: ARCH=arm64 PROFILE=local ZIGBUILD=1
	@$(INSTALL) build python
	functions/package.py

cloud: ## Deploy to a local cloud, run the scenarios there, and take it down: PHASES="refusals tiers scenarios nudges schedule kill"
	@$(INSTALL) build redis python cloud
	tests/cloud/make.sh $(PHASES)

images: ## Build the images of manager, worker and functions without an image registry, and run an action through them, as root: PROFILE=local PHASES="bases manager worker functions run"
	@$(INSTALL) build images
	tests/images/make.sh $(PHASES)

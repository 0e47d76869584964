# What to type. Each target does its work in a script or a program; nothing is decided here.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help run test soak check-exports bench fmt sbom reproduce lint-deploy

help:
	@echo 'make run            get what is missing, build, start on 127.0.0.1:3000 with the sample world'
	@echo 'make test           formatting, lints, and every test'
	@echo 'make soak           the long forms: 10,000 hostile inputs a target; 10,000 leases and kill -9'
	@echo 'make check-exports  load exports with the code of datasets, TRL, LLaMA-Factory and Axolotl'
	@echo 'make bench [NAME]   measure: $(notdir $(basename $(wildcard tests/benches/*.py)))'
	@echo 'make fmt            format all code'
	@echo 'make sbom           what the binary is made of, as CycloneDX: target/concord.cdx.json'
	@echo 'make reproduce      build the release twice and compare'
	@echo 'make lint-deploy    check the units, rules, container and chart with the tools that are here'

run:
	@bash tools/setup.sh run
	@cargo run --quiet --locked -p concord-bundle
	@cargo build --quiet --locked --release -p concord-server
	@bash tools/weights.sh target/release/concord
	@target/release/concord serve --demo

test:
	@bash tools/test.sh

soak:
	@bash tools/soak.sh

check-exports:
	@cargo build --quiet --locked --release -p concord-server
	@bash tools/check-exports.sh

# `make bench import` is one bench; the name behind it is not a target of its own.
NAME := $(if $(filter bench,$(firstword $(MAKECMDGOALS))),$(word 2,$(MAKECMDGOALS)))
$(if $(NAME),$(eval .PHONY: $(NAME))$(eval $(NAME): ; @:))
bench:
	@cargo build --quiet --locked --release -p concord-server
	@for it in $(if $(NAME),tests/benches/$(NAME).py,$(wildcard tests/benches/*.py)); do \
		echo "== $$(basename $$it .py)"; python3 "$$it" || exit 1; done

fmt:
	@cargo fmt --all

sbom:
	@python3 tools/sbom.py

reproduce:
	@bash tools/reproduce.sh

lint-deploy:
	@bash tools/lint-deploy.sh

# What to type. Each target does its work in a script or a program; nothing is decided here.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help run test fmt

help:
	@echo 'make run    get what is missing, build, start on 127.0.0.1:3000 with the sample world'
	@echo 'make test   formatting, lints, and every test'
	@echo 'make fmt    format all code'

run:
	@bash tools/setup.sh run
	@cargo run --quiet --locked -p concord-bundle
	@cargo build --quiet --locked --release -p concord-server
	@target/release/concord serve --demo

test:
	@bash tools/test.sh

fmt:
	@cargo fmt --all

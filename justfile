# What people do daily. `just` lists it.

default:
    @just --list

# Orders from a sandbox Magento into a sandbox SAP B1.
demo *args:
    cargo run --release --example orders_sync -- {{ args }}

# Everything that must pass, set-up included.
test:
    ./scripts/test

# The tests of one crate.
test-crate crate:
    cargo nextest run -p {{ crate }} --all-features

lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings

fmt:
    cargo fmt --all

docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps

bench:
    cargo bench -p datawald-examples --bench orders
    cargo bench -p datawald-core --bench store

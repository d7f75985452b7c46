# What people do daily. `just` lists it.

default:
    @just --list

# Orders from a sandbox Magento into a sandbox SAP B1.
demo *args:
    cargo run --release --example orders_sync -- {{ args }}

# Everything that must pass, set-up included; with --compose on the servers of examples/compose.yaml.
test *args:
    ./scripts/test {{ args }}

# The tests of one crate; those that need servers, in the shell of `just servers`.
test-crate crate:
    cargo nextest run -p {{ crate }} --all-features

# A shell with a MongoDB server and a RabbitMQ node (MONGODB_URI, AMQP_URL), which end with it.
servers:
    ./scripts/setup-servers
    cargo run --quiet -p datawald-tests --bin with_servers -- "${SHELL:-sh}"

lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings

fmt:
    cargo fmt --all

docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps

bench:
    cargo bench -p datawald-examples --features host --bench orders
    cargo bench -p datawald-examples --bench service_layer
    cargo bench -p datawald-core --bench store
    cargo bench -p datawald-core --features api,client --bench api
    cargo bench -p datawald-tests --bench distributed

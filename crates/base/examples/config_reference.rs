//! Prints the reference page of configs: `cargo run -p base --example config_reference > docs/reference/configs.md`.

fn main() {
    print!("{}", base::config::reference::page());
}

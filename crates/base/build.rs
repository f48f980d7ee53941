//! Emits what `base` takes from the tables in `defs/`.

use std::path::Path;

/// Runs in the folder of the crate.
fn main() {
    let defs = Path::new("../../defs");
    codegen::output::write("configs.rs", codegen::configs::generate(&defs.join("configs")));
    codegen::output::write("error_codes.rs", codegen::errors::generate(&defs.join("errors.def")));
}

//! x
fn main() {
    let a: Vec<String> = std::env::args().collect();
    std::process::exit(
        if a[1] == "demo" { cli::demo::meters::main(&a[3..]) } else { cli::run(&a[1], &a[2..]) }.into(),
    )
}

//! Runs a tool on streams in memory.

use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex};

use cli::Console;

/// What a tool did.
pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) output: String,
    pub(crate) errors: String,
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// Runs `tool` with arguments and standard input.
pub(crate) fn run_with(tool: &str, arguments: &[&str], input: &str) -> Ran {
    let (output, errors) = (Buffer::default(), Buffer::default());
    let mut console = Console::new(Cursor::new(input.to_owned()), output.clone(), errors.clone());
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let code = cli::run_on(tool, &arguments, &mut console);
    Ran { code, output: output.text(), errors: errors.text() }
}

/// Runs a command line whose words hold no blanks.
pub(crate) fn run(line: &str) -> Ran {
    let words: Vec<&str> = line.split_whitespace().collect();
    run_with(words[0], &words[1..], "")
}

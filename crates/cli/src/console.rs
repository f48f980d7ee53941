//! Where a tool reads and writes: the process's streams, or a test's.

use std::fmt;
use std::io::{self, BufRead, BufWriter, IsTerminal, Write};

/// Input, output, and the place for everything that is not data.
pub struct Console {
    input: Box<dyn BufRead + Send>,
    output: Box<dyn Write + Send>,
    errors: Box<dyn Write + Send>,
    /// Whether a person watches: then there may be prompts and progress bars.
    interactive: bool,
    /// Nobody reads the output any more.
    closed: bool,
}

impl Console {
    /// The process's own streams. Output is buffered unless it is a terminal.
    pub fn standard() -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let output: Box<dyn Write + Send> =
            if terminal { Box::new(stdout) } else { Box::new(BufWriter::with_capacity(1 << 16, stdout)) };
        Self {
            input: Box::new(io::BufReader::with_capacity(1 << 16, io::stdin())),
            output,
            errors: Box::new(io::stderr()),
            interactive: terminal && io::stdin().is_terminal(),
            closed: false,
        }
    }

    /// Any streams; nobody is taken to watch them.
    pub fn new(
        input: impl BufRead + Send + 'static,
        output: impl Write + Send + 'static,
        errors: impl Write + Send + 'static,
    ) -> Self {
        let (input, output, errors) = (Box::new(input), Box::new(output), Box::new(errors));
        Self { input, output, errors, interactive: false, closed: false }
    }

    /// A line of data.
    pub(crate) fn line(&mut self, text: fmt::Arguments<'_>) {
        let written = self.output.write_fmt(text).and_then(|()| self.output.write_all(b"\n"));
        self.closed |= written.is_err();
    }

    /// Data as it is.
    pub(crate) fn data(&mut self, bytes: &[u8]) {
        self.closed |= self.output.write_all(bytes).is_err();
    }

    /// Whether nobody reads the output any more, as after `… | head -1`.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Gives on what is buffered.
    pub(crate) fn flush(&mut self) {
        self.closed |= self.output.flush().is_err();
    }

    /// A line that is not data.
    pub(crate) fn error(&mut self, text: fmt::Arguments<'_>) {
        // Where even this fails there is nobody left to tell.
        let _ = self.errors.write_fmt(text).and_then(|()| self.errors.write_all(b"\n"));
    }

    /// Text without a line's end, for a person.
    pub(crate) fn prompt(&mut self, text: &str) {
        if self.interactive {
            self.data(text.as_bytes());
            self.flush();
        }
    }

    /// The next line of input without its end; nothing at the end of input. Bytes need not be UTF-8.
    pub(crate) fn read_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        if self.input.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        Ok(Some(line))
    }
}

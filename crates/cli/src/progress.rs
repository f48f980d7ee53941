//! A bar for work that takes long, when somebody watches.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over `total` steps on standard error; drawn only when both standard output and standard error are terminals.
pub(crate) fn bar(total: u64, what: &'static str) -> ProgressBar {
    let watched = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
    let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(total), target).with_message(what);
    let style = "{msg} [{bar:40}] {human_pos} of {human_len}, {per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style.progress_chars("=> "));
    }
    if watched {
        bar.enable_steady_tick(Duration::from_millis(200));
    }
    bar
}

//! Ctrl-C: the first one ends work that keeps a state at its next step, and everything else at once, and says how to go on.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit status of a program that Ctrl-C ended, as shells have it: 128 and the number of the signal.
const INTERRUPTED: i32 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);
static STATE_IS_KEPT: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C. `kept` says what is there after it, and how to go on, where no state is kept.
pub(crate) fn handle(kept: &'static str) {
    // Without a handler Ctrl-C just ends the program: files are replaced as a whole or not at all.
    let _ = ctrlc::set_handler(move || {
        let again = REQUESTED.swap(true, Ordering::SeqCst);
        if STATE_IS_KEPT.load(Ordering::SeqCst) && !again {
            say("stopping at the next step, to keep the state; Ctrl-C again stops at once");
            return;
        }
        if again {
            say("interrupted; the last state that was kept is there for --resume");
        } else {
            say(&format!("interrupted; {kept}"));
        }
        #[expect(
            clippy::exit,
            reason = "the user asked for it, and what runs cannot be asked to stop"
        )]
        std::process::exit(INTERRUPTED);
    });
}

/// From here on the first Ctrl-C leaves the work time to keep its state.
pub(crate) fn state_is_kept() {
    STATE_IS_KEPT.store(true, Ordering::SeqCst);
}

/// Whether Ctrl-C was pressed.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

fn say(message: &str) {
    // Nobody is left to be told when stderr is gone.
    let _ = writeln!(io::stderr(), "\n{message}");
}

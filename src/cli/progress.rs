//! Progress bars.

use std::env;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::interrupt;
use super::printable::printable;
use super::table::is_utf8;
use crate::progress::{Progress, Unit};

/// A bar on stderr for the task at hand.
pub(crate) struct Bars {
    shown: bool,
    bar: Mutex<ProgressBar>,
}

impl Bars {
    /// Bars that are drawn, or none.
    pub(crate) fn new(shown: bool) -> Bars {
        Bars {
            shown,
            bar: Mutex::new(ProgressBar::hidden()),
        }
    }

    fn bar(&self) -> ProgressBar {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Progress for Bars {
    fn start(&self, what: &str, unit: Unit, total: Option<u64>) {
        let target = if self.shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(total, target)
            .with_style(style(unit, total.is_some()))
            .with_prefix(printable(what).into_owned());
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = bar;
    }

    fn advance(&self, by: u64) {
        self.bar().inc(by);
    }

    fn message(&self, text: &str) {
        self.bar().set_message(printable(text).into_owned());
    }

    fn finish(&self) {
        self.bar().finish_and_clear();
    }

    fn stopped(&self) -> bool {
        interrupt::requested()
    }
}

fn style(unit: Unit, bounded: bool) -> ProgressStyle {
    let template = match (unit, bounded) {
        (Unit::Bytes, true) => "{prefix} {wide_bar} {bytes}/{total_bytes}, {eta} left {msg}".to_string(),
        (Unit::Bytes, false) => "{prefix} {spinner} {bytes} {msg}".to_string(),
        (Unit::Count(things), true) => {
            format!("{{prefix}} {{wide_bar}} {{pos}}/{{len}} {things}, {{eta}} left {{msg}}")
        }
        (Unit::Count(things), false) => format!("{{prefix}} {{spinner}} {{pos}} {things} {{msg}}"),
    };
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    if is_utf8(|name| env::var(name).ok()) {
        style
    } else {
        style.progress_chars("=> ").tick_chars("-\\|/ ")
    }
}

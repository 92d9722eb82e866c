//! How far long work has come, and whether it is still wanted: one trait, so that nothing in the library prints or knows who
//! watches.

use std::io::{self, Read};

use crate::error::{Error, Result};

/// What progress is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes of files.
    Bytes,
    /// Things of which this is the plural, such as `devices`.
    Count(&'static str),
}

/// Watches long work. A watcher sees one task at a time: it starts, advances, and finishes, unless it fails.
///
/// Every method does nothing by itself, so that a watcher implements what it cares for.
pub trait Progress: Send + Sync {
    /// A task starts: what it does, as in `training`, and how much there is to do, if that is known.
    fn start(&self, _what: &str, _unit: Unit, _total: Option<u64>) {}

    /// So much more of the task is done.
    fn advance(&self, _by: u64) {}

    /// What there is to say of the task now, such as its latest loss.
    fn message(&self, _text: &str) {}

    /// The task is done.
    fn finish(&self) {}

    /// Whether the work should stop. It does at its next step, with [`Error::Interrupted`].
    fn stopped(&self) -> bool {
        false
    }

    /// Ends work of which nothing is kept, if it should stop.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    fn check(&self) -> Result<()> {
        if self.stopped() {
            Err(Error::Interrupted { state: None })
        } else {
            Ok(())
        }
    }
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}

/// A reader that advances the progress by what is read.
pub(crate) struct Counted<'a, R> {
    reader: R,
    progress: &'a dyn Progress,
}

impl<'a, R> Counted<'a, R> {
    pub(crate) fn new(reader: R, progress: &'a dyn Progress) -> Self {
        Counted { reader, progress }
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.progress.advance(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn reading_advances_by_what_was_read() {
        struct Sum(AtomicU64);
        impl Progress for Sum {
            fn advance(&self, by: u64) {
                self.0.fetch_add(by, Ordering::Relaxed);
            }
        }
        let sum = Sum(AtomicU64::new(0));
        let mut text = String::new();
        Counted::new(&b"five!"[..], &sum).read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), sum.0.into_inner()), ("five!", 5));
    }

    #[test]
    fn stopped_work_is_interrupted() {
        struct Stopped;
        impl Progress for Stopped {
            fn stopped(&self) -> bool {
                true
            }
        }
        assert!(Silent.check().is_ok());
        assert!(matches!(Stopped.check(), Err(Error::Interrupted { state: None })));
    }
}

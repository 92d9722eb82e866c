//! The bytes of a pickle, and what can be wrong with them.

/// Longest string, in bytes.
const LIMIT_STRING_BYTES: usize = 4096;
/// Widest whole number, in bytes.
const LIMIT_NUMBER_BYTES: usize = 8;

/// What was found instead of data.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal(pub(super) String);

impl Refusal {
    pub(super) fn new(found: impl Into<String>) -> Refusal {
        Refusal(found.into())
    }

    pub(super) fn code() -> Refusal {
        Refusal::new("code or objects, which are never run")
    }

    pub(super) fn nested() -> Refusal {
        Refusal::new("lists nested too deep")
    }

    pub(super) fn broken() -> Refusal {
        Refusal::new("a broken pickle")
    }

    fn truncated() -> Refusal {
        Refusal::new("a truncated pickle")
    }

    pub(super) fn operation(operation: u8) -> Refusal {
        Refusal(format!("something else (pickle operation 0x{operation:02x})"))
    }
}

/// What follows in a pickle.
pub(super) struct Arguments<'a> {
    rest: &'a [u8],
}

impl<'a> Arguments<'a> {
    pub(super) fn new(pickle: &'a [u8]) -> Self {
        Arguments { rest: pickle }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Refusal> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(Refusal::truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn skip(&mut self, count: usize) -> Result<(), Refusal> {
        self.take(count).map(|_| ())
    }

    pub(super) fn byte(&mut self) -> Result<u8, Refusal> {
        Ok(self.take(1)?[0])
    }

    /// A whole number, little-endian, of up to four bytes.
    pub(super) fn unsigned(&mut self, width: usize) -> Result<u64, Refusal> {
        let bytes = self.take(width)?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// A whole number in two's complement, little-endian.
    pub(super) fn signed(&mut self, width: usize) -> Result<i64, Refusal> {
        if width > LIMIT_NUMBER_BYTES {
            return Err(Refusal(format!("a number of {width} bytes")));
        }
        let bytes = self.take(width)?;
        let negative = bytes.last().is_some_and(|&last| last >= 0x80);
        let start = if negative { -1 } else { 0 };
        Ok(bytes
            .iter()
            .rev()
            .fold(start, |number, &byte| number << 8 | i64::from(byte)))
    }

    pub(super) fn big_endian_double(&mut self) -> Result<f64, Refusal> {
        let bytes = self.take(8)?.try_into().map_err(|_| Refusal::truncated())?;
        Ok(f64::from_be_bytes(bytes))
    }

    /// Bytes up to the end of the line, which is left out.
    pub(super) fn line(&mut self) -> Result<&'a [u8], Refusal> {
        let length = self
            .rest
            .iter()
            .take(LIMIT_STRING_BYTES)
            .position(|&byte| byte == b'\n');
        let line = self.take(length.ok_or_else(Refusal::truncated)?)?;
        self.skip(1)?;
        Ok(line)
    }

    /// Bytes after their number, which is only a claim.
    pub(super) fn counted(&mut self, width: usize) -> Result<&'a [u8], Refusal> {
        let length = self.unsigned(width)? as usize;
        if length > LIMIT_STRING_BYTES {
            Err(Refusal(format!("a string of {length} bytes")))
        } else {
            self.take(length)
        }
    }
}

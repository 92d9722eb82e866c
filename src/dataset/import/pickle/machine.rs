//! Carries out a pickle that only makes data: numbers, strings, lists, tuples, dictionaries, and numpy's double-precision
//! and 64-bit whole numbers. Nothing is called and nothing is looked up by name but the three names that such a number is
//! written with.
//!
//! Operations as in Python's `pickletools`. The sizes are bounded, because some bytes of a hostile file can otherwise ask
//! for gigabytes: a container is never fetched from the memo (copies of copies), containers are nested a few levels deep
//! only (a deep one overflows the stack when it is dropped), and what is kept is counted.

use super::Value;
use super::operations::{Arguments, Refusal};

/// Most values in one pickle, a long string counting as several.
const LIMIT_VALUES: usize = 4_000_000;
/// Bytes of a string that count as one value.
const BYTES_PER_VALUE: usize = 32;
/// Deepest nesting: a list of lists has 2.
const LIMIT_DEPTH: u8 = 4;
/// Most marks that can be open at once.
const LIMIT_MARKS: usize = 8;

/// What a pickle works on.
#[derive(Default)]
struct Machine {
    stack: Vec<Value>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    /// What was stored, by number; `None` for what is not given out again.
    memo: Vec<Option<Value>>,
    values: usize,
}

/// The value that a pickle stands for.
///
/// # Errors
/// What was found instead of data, for a message.
pub(super) fn run(pickle: &[u8]) -> Result<Value, Refusal> {
    let mut machine = Machine::default();
    let mut arguments = Arguments::new(pickle);
    loop {
        let operation = arguments.byte()?;
        if operation == b'.' {
            return machine.pop();
        }
        machine.step(operation, &mut arguments)?;
    }
}

impl Machine {
    fn step(&mut self, operation: u8, arguments: &mut Arguments) -> Result<(), Refusal> {
        match operation {
            // PROTO, FRAME.
            0x80 => arguments.skip(1),
            0x95 => arguments.skip(8),
            // BININT1, BININT2, BININT, LONG1, BINFLOAT.
            b'K' => self.number(arguments.unsigned(1)? as f64),
            b'M' => self.number(arguments.unsigned(2)? as f64),
            b'J' => self.number(arguments.signed(4)? as f64),
            0x8a => self.long(arguments),
            b'G' => self.number(arguments.big_endian_double()?),
            // NONE, NEWTRUE, NEWFALSE.
            b'N' | 0x88 | 0x89 => self.push(Value::Nothing, 0),
            // SHORT_BINUNICODE, BINUNICODE, SHORT_BINBYTES.
            0x8c => self.text(arguments, 1),
            b'X' => self.text(arguments, 4),
            b'C' => self.bytes(arguments, 1),
            // EMPTY_LIST, EMPTY_DICT, MARK.
            b']' => self.push(Value::list(), 0),
            b'}' => self.push(Value::dictionary(), 0),
            b'(' => self.mark(),
            // APPEND, APPENDS, SETITEM, SETITEMS.
            b'a' => self.append(1),
            b'e' => self.unmarked().and_then(|count| self.append(count)),
            b's' => self.append(2),
            b'u' => self.unmarked().and_then(|count| self.append(count)),
            // TUPLE, TUPLE1, TUPLE2, TUPLE3.
            b't' => self.unmarked().and_then(|count| self.tuple(count)),
            0x85..=0x87 => self.tuple(usize::from(operation - 0x84)),
            // MEMOIZE, BINPUT, LONG_BINPUT; BINGET, LONG_BINGET.
            0x94 => self.store(self.memo.len()),
            b'q' => arguments.unsigned(1).and_then(|number| self.store(number as usize)),
            b'r' => arguments.unsigned(4).and_then(|number| self.store(number as usize)),
            b'h' => arguments.unsigned(1).and_then(|number| self.fetch(number as usize)),
            b'j' => arguments.unsigned(4).and_then(|number| self.fetch(number as usize)),
            // GLOBAL, STACK_GLOBAL, REDUCE, BUILD.
            b'c' => self.global(arguments),
            0x93 => self.stack_global(),
            b'R' => self.reduce(),
            b'b' => self.build(),
            // INST, OBJ, NEWOBJ, NEWOBJ_EX, persistent identifiers, extensions.
            b'i' | b'o' | 0x81 | 0x92 | b'P' | b'Q' | 0x82..=0x84 => Err(Refusal::code()),
            _ => Err(Refusal::operation(operation)),
        }
    }

    fn push(&mut self, value: Value, bytes: usize) -> Result<(), Refusal> {
        self.values += 1 + bytes / BYTES_PER_VALUE;
        if self.values > LIMIT_VALUES {
            return Err(Refusal::new(format!("more than {LIMIT_VALUES} values")));
        }
        self.stack.push(value);
        Ok(())
    }

    fn number(&mut self, number: f64) -> Result<(), Refusal> {
        self.push(Value::Number(number), 0)
    }

    fn long(&mut self, arguments: &mut Arguments) -> Result<(), Refusal> {
        let width = arguments.byte()?.into();
        self.number(arguments.signed(width)? as f64)
    }

    fn bytes(&mut self, arguments: &mut Arguments, width: usize) -> Result<(), Refusal> {
        let bytes = arguments.counted(width)?.to_vec();
        let length = bytes.len();
        self.push(Value::Bytes(bytes), length)
    }

    fn text(&mut self, arguments: &mut Arguments, width: usize) -> Result<(), Refusal> {
        let bytes = arguments.counted(width)?;
        let text = std::str::from_utf8(bytes).map_err(|_| Refusal::new("a string that is not UTF-8"))?;
        self.push(Value::Text(text.into()), text.len())
    }

    /// The top of the stack, above the last mark.
    fn pop(&mut self) -> Result<Value, Refusal> {
        let floor = self.marks.last().copied().unwrap_or_default();
        if self.stack.len() > floor {
            self.stack.pop().ok_or_else(Refusal::broken)
        } else {
            Err(Refusal::broken())
        }
    }

    fn mark(&mut self) -> Result<(), Refusal> {
        if self.marks.len() == LIMIT_MARKS {
            return Err(Refusal::nested());
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// Takes away the last mark and gives the number of values above it.
    fn unmarked(&mut self) -> Result<usize, Refusal> {
        let height = self.marks.pop().ok_or_else(Refusal::broken)?;
        Ok(self.stack.len() - height)
    }

    /// The topmost values, oldest first.
    fn take(&mut self, count: usize) -> Result<Vec<Value>, Refusal> {
        let floor = self.marks.last().copied().unwrap_or_default();
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= floor => Ok(self.stack.split_off(start)),
            _ => Err(Refusal::broken()),
        }
    }

    /// Puts the topmost values into the container below them.
    fn append(&mut self, count: usize) -> Result<(), Refusal> {
        let mut items = self.take(count)?;
        let mut container = self.pop()?;
        match &mut container {
            Value::List { items: list, depth } => {
                *depth = nested(*depth, &items)?;
                list.append(&mut items);
            }
            Value::Dictionary { items: entries, depth } if items.len().is_multiple_of(2) => {
                *depth = nested(*depth, &items)?;
                entries.append(&mut items);
            }
            _ => return Err(Refusal::broken()),
        }
        self.stack.push(container);
        Ok(())
    }

    fn tuple(&mut self, count: usize) -> Result<(), Refusal> {
        let items = self.take(count)?;
        let depth = nested(1, &items)?;
        self.push(Value::Tuple { items, depth }, 0)
    }

    /// Stores the top of the stack. Python counts up; another number is nothing that it writes.
    fn store(&mut self, number: usize) -> Result<(), Refusal> {
        if number != self.memo.len() {
            return Err(Refusal::broken());
        }
        let top = self.stack.last().ok_or_else(Refusal::broken)?;
        self.memo.push((top.depth() == 0).then(|| top.clone()));
        Ok(())
    }

    fn fetch(&mut self, number: usize) -> Result<(), Refusal> {
        let stored = self.memo.get(number).ok_or_else(Refusal::broken)?;
        let value = stored.clone().ok_or_else(|| Refusal::new("one list in two places"))?;
        let bytes = value.bytes();
        self.push(value, bytes)
    }

    /// A name written as two lines.
    fn global(&mut self, arguments: &mut Arguments) -> Result<(), Refusal> {
        let (module, name) = (arguments.line()?, arguments.line()?);
        self.named(module, name)
    }

    /// A name made of two strings.
    fn stack_global(&mut self) -> Result<(), Refusal> {
        let (name, module) = (self.pop()?, self.pop()?);
        let (Value::Text(module), Value::Text(name)) = (module, name) else {
            return Err(Refusal::broken());
        };
        self.named(module.as_bytes(), name.as_bytes())
    }

    /// A name of Python's: only those that stand before a number of numpy's, and before bytes in old protocols.
    fn named(&mut self, module: &[u8], name: &[u8]) -> Result<(), Refusal> {
        match (module, name) {
            (b"numpy.core.multiarray" | b"numpy._core.multiarray", b"scalar") => self.push(Value::ScalarName, 0),
            (b"numpy", b"dtype") => self.push(Value::TypeName, 0),
            (b"_codecs", b"encode") => self.push(Value::EncodeName, 0),
            _ => Err(Refusal::code()),
        }
    }

    /// `dtype("f8", ...)`, `scalar(dtype, eight bytes)` and `encode(text, "latin1")`, which bytes are written as.
    fn reduce(&mut self) -> Result<(), Refusal> {
        let (arguments, name) = (self.pop()?, self.pop()?);
        let Value::Tuple { items, .. } = arguments else {
            return Err(Refusal::code());
        };
        let value = match (name, &items[..]) {
            (Value::TypeName, [Value::Text(letter), ..]) => number_type(letter)?,
            (Value::ScalarName, [Value::Double, Value::Bytes(bytes)]) => {
                Value::Number(f64::from_le_bytes(eight(bytes)?))
            }
            (Value::ScalarName, [Value::Whole, Value::Bytes(bytes)]) => {
                Value::Number(i64::from_le_bytes(eight(bytes)?) as f64)
            }
            (Value::EncodeName, [Value::Text(text), Value::Text(codec)]) if codec == "latin1" => {
                let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
                Value::Bytes(bytes.map_err(|_| Refusal::new("bytes above 255"))?)
            }
            _ => return Err(Refusal::code()),
        };
        let bytes = value.bytes();
        self.push(value, bytes)
    }

    /// Completes a numpy type with its byte order.
    fn build(&mut self) -> Result<(), Refusal> {
        let state = self.pop()?;
        match (state, self.stack.last()) {
            (Value::Tuple { items, .. }, Some(Value::Double | Value::Whole)) => match items.get(1) {
                Some(Value::Text(order)) if order == "<" => Ok(()),
                _ => Err(Refusal::new("numpy numbers that are not little-endian")),
            },
            _ => Err(Refusal::code()),
        }
    }
}

/// The type that numpy calls so.
fn number_type(letter: &str) -> Result<Value, Refusal> {
    match letter {
        "f8" => Ok(Value::Double),
        "i8" => Ok(Value::Whole),
        other => Err(Refusal::new(format!(
            "numpy numbers of type `{}`",
            other.escape_debug()
        ))),
    }
}

/// The bytes of a number.
fn eight(bytes: &[u8]) -> Result<[u8; 8], Refusal> {
    let wrong = |_| Refusal::new(format!("a numpy number of {} bytes", bytes.len()));
    bytes.try_into().map_err(wrong)
}

/// Depth of a container of this depth that takes up these items.
fn nested(depth: u8, items: &[Value]) -> Result<u8, Refusal> {
    let deepest = items.iter().map(Value::depth).max().unwrap_or_default();
    let depth = depth.max(deepest + 1);
    if depth > LIMIT_DEPTH {
        Err(Refusal::nested())
    } else {
        Ok(depth)
    }
}

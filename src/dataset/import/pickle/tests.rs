use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::machine::run;
use super::*;

fn refusal(pickle: &[u8]) -> String {
    run(pickle).unwrap_err().0
}

#[test]
fn lists_and_dictionaries_of_every_protocol() {
    // pickle.dumps([1, 300, 2.0, 10**6, 2**40, -2], 2), pickle.dumps({"a": 1}, 4), pickle.dumps([[3, 8], []], 2) and the
    // last at protocol 4, written by Python.
    let list =
        b"\x80\x02]q\x00(K\x01M,\x01G@\x00\x00\x00\x00\x00\x00\x00J@B\x0f\x00\x8a\x06\x00\x00\x00\x00\x00\x01J\xfe\
                 \xff\xff\xffe.";
    let Numbers(numbers) = run(list).unwrap().try_into().unwrap();
    assert_eq!(numbers, [1.0, 300.0, 2.0, 1_000_000.0, 1_099_511_627_776.0, -2.0]);
    let dictionary = b"\x80\x04\x95\n\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s.";
    let Positions(positions) = run(dictionary).unwrap().try_into().unwrap();
    assert_eq!(positions, [("a".to_string(), 1)]);
    for rows in [
        &b"\x80\x02]q\x00(]q\x01(K\x03K\x08e]q\x02e."[..],
        b"\x80\x04\x95\x0f\x00\x00\x00\x00\x00\x00\x00]\x94(]\x94(K\x03K\x08e]\x94e.",
    ] {
        let Rows(rows) = run(rows).unwrap().try_into().unwrap();
        assert_eq!(rows, [vec![3, 8], vec![]]);
    }
}

/// pickle.dumps([numpy.float64(1.5), numpy.float64(-2.0)], 4), written by Python with numpy 2.
const NUMPY: &[u8] =
    b"\x80\x04\x95\x81\x00\x00\x00\x00\x00\x00\x00]\x94(\x8c\x16numpy._core.multiarray\x94\x8c\x06scalar\
    \x94\x93\x94\x8c\x05numpy\x94\x8c\x05dtype\x94\x93\x94\x8c\x02f8\x94\x89\x88\x87\x94R\x94(K\x03\x8c\
    \x01<\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94bC\x08\x00\x00\x00\x00\x00\x00\xf8?\x94\x86\
    \x94R\x94h\x03h\x09C\x08\x00\x00\x00\x00\x00\x00\x00\xc0\x94\x86\x94R\x94e.";

fn replaced(pickle: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let place = pickle.windows(from.len()).position(|window| window == from).unwrap();
    [&pickle[..place], to, &pickle[place + from.len()..]].concat()
}

#[test]
fn numbers_of_numpy_are_data() {
    let Numbers(numbers) = run(NUMPY).unwrap().try_into().unwrap();
    assert_eq!(numbers, [1.5, -2.0]);
    let refusals = [
        (
            replaced(NUMPY, b"\x8c\x02f8", b"\x8c\x02i4"),
            "numpy numbers of type `i4`",
        ),
        (
            replaced(NUMPY, b"\x8c\x01<", b"\x8c\x01>"),
            "numpy numbers that are not little-endian",
        ),
        (replaced(NUMPY, b"C\x08\x00\x00", b"C\x06"), "a numpy number of 6 bytes"),
        (
            replaced(NUMPY, b"\x06scalar", b"\x06system"),
            "code or objects, which are never run",
        ),
        (
            replaced(NUMPY, b"\x05numpy\x94\x8c\x05dtype", b"\x05posix\x94\x8c\x05fork_"),
            "code or objects, which are never run",
        ),
    ];
    for (pickle, found) in refusals {
        assert_eq!(refusal(&pickle), found);
    }
}

/// pickle.dumps({"arch": [{"ks": [3], "e": [4], "d": [2], "r": numpy.int64(204)}]}, 2), written by Python with numpy 2: names in
/// lines, and bytes as text to be encoded.
const CONFIGURATION: &[u8] =
    b"\x80\x02}q\x00X\x04\x00\x00\x00archq\x01]q\x02}q\x03(X\x02\x00\x00\x00ksq\x04]q\x05K\x03aX\x01\x00\x00\x00eq\x06]q\x07K\
    \x04aX\x01\x00\x00\x00dq\x08]q\tK\x02aX\x01\x00\x00\x00rq\ncnumpy._core.multiarray\nscalar\nq\x0bcnumpy\ndtype\nq\x0cX\
    \x02\x00\x00\x00i8q\r\x89\x88\x87q\x0eRq\x0f(K\x03X\x01\x00\x00\x00<q\x10NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x11b\
    c_codecs\nencode\nq\x12X\t\x00\x00\x00\xc3\x8c\x00\x00\x00\x00\x00\x00\x00q\x13X\x06\x00\x00\x00latin1q\x14\x86q\x15Rq\x16\
    \x86q\x17Rq\x18uas.";

#[test]
fn configurations_are_read_from_dictionaries() {
    let read = |pickle: &[u8]| Configurations::try_from(run(pickle).unwrap()).map(|Configurations(read)| read);
    assert_eq!(read(CONFIGURATION).unwrap(), [r#"{"ks":[3],"e":[4],"d":[2],"r":204}"#]);
    let with = |from: &[u8], to: &[u8]| read(&replaced(CONFIGURATION, from, to)).unwrap_err();
    assert_eq!(with(b"arch", b"arts"), "no entry `arch`");
    assert_eq!(
        with(b"\x01\x00\x00\x00d", b"\x01\x00\x00\x00g"),
        "no entry `d` at position 0"
    );
    assert_eq!(
        with(b"\x01\x00\x00\x00d", b"\x01\x00\x00\x00e"),
        "two entries `e` at position 0"
    );
    let negative = (
        b"\x8c\x00\x00\x00\x00\x00\x00\x00q",
        b"\x8c\x00\x00\x00\x00\x00\x01\x00q",
    );
    assert_eq!(with(negative.0, negative.1), "281474976710860 as `r` at position 0");
    assert_eq!(
        with(b"]q\tK\x02a", b"]q\tNa"),
        "neither number nor text at position 0 of `d` at position 0"
    );
    assert_eq!(
        with(b"]q\tK\x02a", b"Nq\t"),
        "neither number nor text of `d` at position 0"
    );
    assert_eq!(read(b"].").unwrap_err(), "a list");
}

#[test]
fn names_in_lines_are_those_of_numbers_alone() {
    let with = |from: &[u8], to: &[u8]| refusal(&replaced(CONFIGURATION, from, to));
    assert_eq!(with(b"latin1", b"base64"), "code or objects, which are never run");
    assert_eq!(
        with(b"cnumpy\ndtype", b"cposix\nfork_"),
        "code or objects, which are never run"
    );
    assert_eq!(with(b"\xc3\x8c", b"\xc4\x8c"), "bytes above 255");
    assert_eq!(refusal(b"c_codecs\nencode"), "a truncated pickle");
    assert_eq!(
        refusal(&[&b"c"[..], &[b'x'; 10_000], b"\n\n."].concat()),
        "a truncated pickle"
    );
}

#[test]
fn code_is_refused_in_every_form() {
    // os.system("x") by GLOBAL and by STACK_GLOBAL, and the other ways to make an object.
    for pickle in [
        &b"cos\nsystem\n(X\x01\x00\x00\x00xtR."[..],
        b"\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R.",
        b"(ios\nsystem\n",
        b"o",
        b"]]b",
        b"]]\x85R",
        b"\x81",
        b"\x92",
        b"Q",
        b"\x82",
    ] {
        assert_eq!(refusal(pickle), "code or objects, which are never run", "{pickle:?}");
    }
}

#[test]
fn deep_nesting_is_refused_before_it_fills_the_stack() {
    let nested = |levels: usize| [vec![b']'; levels], vec![b'a'; levels - 1], b".".to_vec()].concat();
    assert!(run(&nested(4)).is_ok());
    assert_eq!(refusal(&nested(5)), "lists nested too deep");
    assert_eq!(refusal(&nested(1_000_000)), "lists nested too deep");
    assert_eq!(refusal(&[b'('; 1_000_000]), "lists nested too deep");
    assert_eq!(
        refusal(&[&b"]"[..], &[0x85; 1_000_000]].concat()),
        "lists nested too deep"
    );
}

#[test]
fn copies_of_copies_are_refused() {
    // ] then, over and over, duplicate it and append the copy to the original: 2^n lists from 2 n bytes.
    assert!(refusal(&b"]222aaa.".repeat(20)).contains("0x32"));
    // ] stored, fetched, appended to itself; and stored under a number of choice.
    assert_eq!(refusal(b"]q\x00h\x00a."), "one list in two places");
    assert_eq!(refusal(b"]q\x00]q\x00e."), "a broken pickle");
    assert_eq!(refusal(b"]r\xff\xff\xff\xff."), "a broken pickle");
    // A long string fetched over and over: each time it counts as 128 values.
    let string = [&b"]X\x00\x10\x00\x00"[..], &[b'x'; 4096], b"q\x00("].concat();
    assert!(refusal(&[string, b"h\x00".repeat(40_000)].concat()).contains("values"));
}

#[test]
fn lengths_are_claims_to_be_checked() {
    assert_eq!(refusal(b"]X\xff\xff\xff\xffabc"), "a string of 4294967295 bytes");
    assert_eq!(refusal(b"]X\x04\x00\x00\x00abc"), "a truncated pickle");
    assert_eq!(refusal(b"](K\x01"), "a truncated pickle");
    assert_eq!(refusal(b"\x8a\xff"), "a number of 255 bytes");
    assert_eq!(refusal(b""), "a truncated pickle");
    assert_eq!(refusal(b"."), "a broken pickle");
    assert_eq!(refusal(b"K\x01a."), "a broken pickle");
    assert_eq!(refusal(b"(]K\x01(a."), "a broken pickle");
    let many = [&b"]("[..], &b"K\x01".repeat(4_000_001), b"e."].concat();
    assert!(refusal(&many).contains("values"));
}

#[test]
fn what_is_not_asked_for_is_named_with_its_position() {
    let fault = |pickle: &[u8]| Rows::try_from(run(pickle).unwrap()).err().unwrap();
    assert_eq!(fault(b"K\x01."), "a number");
    assert_eq!(fault(b"](K\x01e."), "a number at position 0");
    assert_eq!(
        fault(b"](](K\x01Nee."),
        "neither number nor text at position 1 of the list at position 0"
    );
    assert_eq!(
        fault(b"](](M\x00\x01ee."),
        "256 at position 0 of the list at position 0"
    );
    assert_eq!(
        fault(b"](](J\xff\xff\xff\xffee."),
        "-1 at position 0 of the list at position 0"
    );
    assert_eq!(
        fault(b"](](G\x7f\xf8\x00\x00\x00\x00\x00\x00ee."),
        "NaN at position 0 of the list at position 0"
    );
}

/// A list of 200 numbers.
fn pickled() -> Vec<u8> {
    let numbers: Vec<u8> = (0..200).flat_map(|number| [b'K', number]).collect();
    [&b"\x80\x02]q\x00("[..], &numbers, b"e."].concat()
}

fn zipped(pickle: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("archive/data.pkl", zip::write::SimpleFileOptions::default())
        .unwrap();
    zip.write_all(pickle).unwrap();
    zip.finish().unwrap().into_inner()
}

/// Bytes at some places replaced.
fn damaged(mut bytes: Vec<u8>, damage: &[(usize, u8)]) -> Vec<u8> {
    for &(place, byte) in damage {
        let length = bytes.len();
        bytes[place % length] = byte;
    }
    bytes
}

proptest! {
    #[test]
    fn no_bytes_make_the_machine_panic(
        operations in vec(select(&b"]}()aeustKMJGXCqrhjRbNc\n20.\x80\x85\x86\x87\x88\x93\x94\x95\x8a\x8c"[..]), 0..60),
        damage in vec((any::<usize>(), any::<u8>()), 0..4),
    ) {
        let pickles = [
            damaged(pickled(), &damage),
            damaged(NUMPY.to_vec(), &damage),
            damaged(CONFIGURATION.to_vec(), &damage),
            [b"]".to_vec(), operations].concat(),
        ];
        for pickle in pickles {
            if let Ok(value) = run(&pickle) {
                if let Ok(Numbers(numbers)) = Numbers::try_from(value.clone()) {
                    prop_assert!(numbers.len() <= pickle.len());
                }
                let _ = Rows::try_from(value.clone());
                let _ = Positions::try_from(value.clone());
                let _ = Configurations::try_from(value);
            }
        }
    }

    /// Another implementation of the format agrees on whatever it writes.
    #[test]
    fn another_writer_is_understood(rows in vec(vec(any::<u8>(), 0..40), 0..40), numbers in vec(any::<f64>(), 0..40)) {
        let pickle = serde_pickle::to_vec(&rows, serde_pickle::SerOptions::new()).unwrap();
        prop_assert_eq!(Rows::try_from(run(&pickle).unwrap()).ok().unwrap().0, rows);
        let pickle = serde_pickle::to_vec(&numbers, serde_pickle::SerOptions::new()).unwrap();
        let read = Numbers::try_from(run(&pickle).unwrap()).ok().unwrap().0;
        prop_assert!(read.iter().zip(&numbers).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())));
        prop_assert_eq!(read.len(), numbers.len());
    }

    #[test]
    fn no_damage_to_a_zip_file_makes_it_panic(damage in vec((any::<usize>(), any::<u8>()), 1..4)) {
        if let Ok(bytes) = unpack(std::io::Cursor::new(damaged(zipped(&pickled()), &damage))) {
            prop_assert!(bytes.len() <= 10_000);
        }
    }
}

//! Files as HELP publishes them, ten architectures long, and broken ones.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

/// Ten architectures in the order of the fixture's lists. The last two compute the same function: an edge out of a node
/// that nothing reaches changes nothing.
pub(crate) const ARCHITECTURES: [&str; 10] = [
    "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|",
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|nor_conv_1x1~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|avg_pool_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|nor_conv_3x3~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_1x1~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|",
    "|none~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|",
    "|none~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|none~2|",
];

/// A protocol-2 pickle of a list of floats, as Python writes it.
pub(crate) fn list(values: &[f64]) -> Vec<u8> {
    let mut pickle = vec![0x80, 2, b']', b'q', 0, b'('];
    for value in values {
        pickle.push(b'G');
        pickle.extend(value.to_be_bytes());
    }
    pickle.extend(b"e.");
    pickle
}

/// A protocol-2 pickle of a dictionary from strings to small numbers, as Python writes it.
pub(crate) fn dictionary(entries: &[(&str, u8)]) -> Vec<u8> {
    let mut pickle = vec![0x80, 2, b'}', b'q', 0, b'('];
    for (number, (key, value)) in (1..).zip(entries) {
        pickle.push(b'X');
        pickle.extend((key.len() as u32).to_le_bytes());
        pickle.extend(key.as_bytes());
        pickle.extend([b'q', number, b'K', *value]);
    }
    pickle.extend(b"u.");
    pickle
}

/// A zip file with one entry.
pub(crate) fn zipped(entry: &str, content: &[u8], method: CompressionMethod) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(entry, SimpleFileOptions::default().compression_method(method))
        .unwrap();
    zip.write_all(content).unwrap();
    zip.finish().unwrap().into_inner()
}

/// A `.pt` file with this pickle.
pub(crate) fn pt(pickle: &[u8]) -> Vec<u8> {
    zipped("archive/data.pkl", pickle, CompressionMethod::Stored)
}

/// A protocol-2 pickle of a list of lists of small numbers, as Python writes it.
pub(crate) fn lists(rows: &[Vec<u8>]) -> Vec<u8> {
    let mut pickle = vec![0x80, 2, b']', b'q', 0, b'('];
    for (number, row) in (1..).zip(rows) {
        pickle.extend([b']', b'q', number, b'(']);
        pickle.extend(row.iter().flat_map(|&value| [b'K', value]));
        pickle.push(b'e');
    }
    pickle.extend(b"e.");
    pickle
}

/// The FBNet architecture number `position` of the fixture: `k3_e1` but for one block.
pub(crate) fn fbnet_genes(position: u8) -> Vec<u8> {
    let mut genes = vec![0; 22];
    genes[usize::from(position)] = 8 - position % 4;
    genes
}

/// Writes `HELP/data/fbnet` with ten architectures, a GPU at batch size 32 and a phone whose values are sums.
pub(crate) fn write_help_fbnet(folder: &Path) {
    let data = folder.join("HELP/data/fbnet");
    fs::create_dir_all(data.join("latency")).unwrap();
    let architectures: Vec<Vec<u8>> = (0..10).map(fbnet_genes).collect();
    fs::write(data.join("arch.pt"), pt(&lists(&architectures))).unwrap();
    for device in ["2080ti_32", "pixel3"] {
        fs::write(data.join(format!("latency/{device}.pt")), pt(&list(&latencies()))).unwrap();
    }
}

/// The latencies of the fixture's GPU: 1.5, 2.5, ... ms.
pub(crate) fn latencies() -> Vec<f64> {
    (0..10).map(|position| 1.5 + f64::from(position)).collect()
}

/// Writes `HELP/data/nasbench201` with a GPU at batch size 32 and a phone in whole ms that lacks one value.
pub(crate) fn write_help(folder: &Path) {
    let data = folder.join("HELP/data/nasbench201");
    fs::create_dir_all(data.join("latency")).unwrap();
    let index: Vec<(&str, u8)> = ARCHITECTURES.iter().copied().zip(0..).collect();
    fs::write(data.join("str_arch2idx.pt"), pt(&dictionary(&index))).unwrap();
    write_latencies(folder, "1080ti_32", &list(&latencies()));
    write_latencies(
        folder,
        "essential_ph_1",
        &list(&[3.0, 4.0, -1.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0]),
    );
}

/// Writes or replaces the latencies of one device.
pub(crate) fn write_latencies(folder: &Path, device: &str, pickle: &[u8]) {
    let path = folder.join(format!("HELP/data/nasbench201/latency/{device}.pt"));
    fs::write(path, pt(pickle)).unwrap();
}

/// A table as NATS-Bench's, for the architectures of the fixture.
pub(crate) fn write_nats_bench(folder: &Path) {
    let mut text = String::from(
        "CIFAR10TestAccuracy200Epochs,CIFAR100TestAccuracy200Epochs,ImageNetTestAccuracy200Epochs,\
         ArchitectureString,UniqueString\n",
    );
    for (position, architecture) in ARCHITECTURES.iter().enumerate() {
        text += &format!("9{position}.5,6{position}.25,3{position}.125,{architecture},x\n");
    }
    fs::write(folder.join("nats_bench.csv"), text).unwrap();
}

/// A configuration of a once-for-all network: kernels, expansions, depths and resolution.
pub(crate) struct Configuration {
    pub(crate) kernels: Vec<u8>,
    pub(crate) expansions: Vec<u8>,
    pub(crate) depths: Vec<u8>,
    pub(crate) resolution: u8,
}

/// A protocol-2 pickle of `{"arch": [{"ks": ..., "e": ..., "d": ..., "r": numpy.int64(...)}, ...]}`.
pub(crate) fn configurations(all: &[Configuration]) -> Vec<u8> {
    let text = |text: &str| [&[b'X', text.len() as u8, 0, 0, 0], text.as_bytes()].concat();
    let list = |numbers: &[u8]| {
        let numbers: Vec<u8> = numbers.iter().flat_map(|&number| [b'K', number]).collect();
        [b"](", &numbers[..], b"e"].concat()
    };
    let number = |number: u8| {
        let bytes: String = [char::from(number), '\0', '\0', '\0', '\0', '\0', '\0', '\0']
            .into_iter()
            .collect();
        [
            &b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n"[..],
            &text("i8"),
            b"K\x00K\x01\x87R(K\x03",
            &text("<"),
            b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbc_codecs\nencode\n",
            &text(&bytes),
            &text("latin1"),
            b"\x86R\x86R",
        ]
        .concat()
    };
    let mut pickle = [&b"\x80\x02}"[..], &text("arch"), b"]("].concat();
    for one in all {
        pickle.extend(b"}(");
        for (name, value) in [
            ("ks", list(&one.kernels)),
            ("e", list(&one.expansions)),
            ("d", list(&one.depths)),
            ("r", number(one.resolution)),
        ] {
            pickle.extend([text(name), value].concat());
        }
        pickle.push(b'u');
    }
    pickle.extend(b"es.");
    pickle
}

/// The once-for-all network number `position` of the fixture: two blocks in every stage but for three in the first; the kernel
/// of the third block and the resolution differ. That of the fourth block, which does not run, is 7 in all of them.
pub(crate) fn configuration(position: u8) -> Configuration {
    let mut kernels = vec![3; 20];
    (kernels[2], kernels[3]) = (3 + 2 * (position % 3), 7);
    Configuration {
        kernels,
        expansions: vec![4; 20],
        depths: vec![3, 2, 2, 2, 2],
        resolution: 128 + 4 * position,
    }
}

/// Writes `HELP/data/ofa` with ten architectures and two GPUs.
pub(crate) fn write_help_ofa(folder: &Path) {
    let data = folder.join("HELP/data/ofa");
    fs::create_dir_all(data.join("latency")).unwrap();
    let architectures: Vec<Configuration> = (0..10).map(configuration).collect();
    fs::write(data.join("ofa_archs.pt"), pt(&configurations(&architectures))).unwrap();
    for device in ["titan_xp_32", "v100_1"] {
        fs::write(data.join(format!("latency/{device}.pt")), pt(&list(&latencies()))).unwrap();
    }
}

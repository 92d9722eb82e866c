use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

const SPACES: [&OnceForAll; 3] = [&MOBILENET_V3, &MOBILENET_V3_W12, &PROXYLESS_NAS];

/// The first row of one of DyNAS-T's logs.
const LOGGED: &str = "{'wid': None, 'ks': [5, 7, 5, 5, 3, 3, 3, 7, 5, 5, 3, 7, 7, 3, 3, 3, 5, 5, 5, 5], \
                      'e': [4, 3, 4, 4, 4, 6, 3, 4, 4, 3, 4, 3, 3, 6, 6, 6, 4, 3, 4, 4], 'd': [2, 3, 2, 4, 3], 'r': [224]}";

fn full(blocks: usize, depths: &str, rest: &str) -> String {
    let list = |entry: &str| vec![entry; blocks].join(",");
    format!(r#"{{"ks":[{}],"e":[{}],"d":[{depths}]{rest}}}"#, list("7"), list("6"))
}

#[test]
fn configurations_in_every_form() {
    let architecture = MOBILENET_V3.parse(LOGGED).unwrap();
    // Depths 2, 3, 2, 4, 3; kernel 5 and expansion 4 of the first block, 7 and 3 of the second; 224 pixels.
    assert_eq!(architecture.0[..9], [0, 1, 0, 2, 1, 1, 1, 2, 0]);
    assert_eq!(architecture.0[45], 24);
    // As logged, with 3 where no block runs.
    let printed = r#"{"ks":[5,7,3,3,3,3,3,3,5,5,3,3,7,3,3,3,5,5,5,3],"e":[4,3,3,3,4,6,3,3,4,3,3,3,3,6,6,6,4,3,4,3],"d":[2,3,2,4,3],"r":224}"#;
    assert_eq!(MOBILENET_V3.print(&architecture), printed);
    let forms = [
        printed.to_owned(),
        printed.replace(r#","r":224"#, ""),
        printed.replace("224", "[224]"),
        printed.replace(r#"{"ks""#, r#"{"wid":null,"ks""#),
        format!(" {} ", printed.replace(',', " ,\n")),
    ];
    for form in forms {
        assert_eq!(MOBILENET_V3.parse(&form).unwrap(), architecture, "{form}");
    }
    let smallest = MOBILENET_V3.parse(&printed.replace("224", "128")).unwrap();
    assert_eq!(smallest.0[45], 0);
    assert_eq!(
        MOBILENET_V3.input(&smallest, InputSize::square(224)),
        InputSize::square(128)
    );
}

/// The reference implementation lists a sixth depth of ProxylessNAS, which is always 1.
#[test]
fn the_last_stage_of_proxylessnas_may_be_left_out() {
    let architecture = PROXYLESS_NAS.parse(&full(21, "4,4,4,4,4", "")).unwrap();
    assert_eq!(PROXYLESS_NAS.parse(&full(21, "4,4,4,4,4,1", "")).unwrap(), architecture);
    assert!(PROXYLESS_NAS.print(&architecture).contains(r#""d":[4,4,4,4,4,1]"#));
    assert_eq!(PROXYLESS_NAS.active_blocks(&architecture).count(), 21);
    let error = PROXYLESS_NAS.parse(&full(21, "4,4,4,4,4,2", "")).unwrap_err();
    assert!(
        error.to_string().contains("`d`, entry 6: expected 1, found `2`"),
        "{error}"
    );
}

#[test]
fn faults_are_named_with_their_key_and_place() {
    let valid = full(20, "2,3,4,2,2", r#","r":160"#);
    assert!(MOBILENET_V3.parse(&valid).is_ok());
    let cases = [
        (
            valid.replacen('7', "4", 1),
            "`ks`, entry 1: expected one of 3, 5, 7, found `4`",
        ),
        (
            valid.replacen("6,6", "6,-3", 1),
            "`e`, entry 2: expected one of 3, 4, 6, found `-3`",
        ),
        (
            valid.replacen("6,6", "6,6.5", 1),
            "`e`, entry 2: expected one of 3, 4, 6, found `6.5`",
        ),
        (
            valid.replacen("6,6", "6,[6]", 1),
            "`e`, entry 2: expected one of 3, 4, 6, found `[6]`",
        ),
        (
            valid.replacen("7,", "", 1),
            "`ks`: expected 20 entries, also for blocks that do not run, found 19",
        ),
        (full(21, "2,2,2,2,2", ""), "`ks`: expected 20 entries"),
        (
            valid.replace("2,3,4", "2,5,4"),
            "`d`, entry 2: expected one of 2, 3, 4, found `5`",
        ),
        (
            valid.replace("2,3,4", "3,4"),
            "`d`: expected 5 entries, one for every stage, found 4",
        ),
        (
            valid.replace("160", "158"),
            "`r`: expected one of 128, 132, ..., 224, found `158`",
        ),
        (valid.replace("160", "228"), "found `228`"),
        (
            valid.replace("160", "[160,160]"),
            "`r`: expected one of 128, 132, ..., 224, found `[160,160]`",
        ),
        (valid.replace("160", "[]"), "`r`: expected one of"),
        (valid.replace(r#""e""#, r#""x""#), "unknown field `x`"),
        (valid.replace(r#""d""#, r#""e""#), "duplicate field `e`"),
        (valid.replace(r#","d":[2,3,4,2,2]"#, ""), "missing field `d`"),
        (
            valid.replace(r#"{"ks""#, r#"{"wid":1.2,"ks""#),
            "`wid`: expected null, since the width is that of the space",
        ),
        ("[".repeat(2_000), "configuration, column"),
        ("[".repeat(1 << 20), "length: expected at most 2048 bytes"),
    ];
    for (text, message) in cases {
        let found = MOBILENET_V3.parse(&text).unwrap_err().to_string();
        assert!(found.starts_with("MobileNet-V3 configuration, "), "{found}");
        assert!(found.contains(message), "no `{message}` in: {found}");
    }
}

#[test]
fn blocks_that_do_not_run_do_not_matter() {
    let logged = MOBILENET_V3.parse(LOGGED).unwrap();
    // The first stage has two blocks, so that kernels and expansions of the third and the fourth do not count.
    let other = LOGGED.replacen("[5, 7, 5, 5,", "[5, 7, 3, 7,", 1);
    assert_eq!(MOBILENET_V3.parse(&other).unwrap(), logged);
    let mut written = logged.clone();
    written.0[genes::block_gene(2)] = 2;
    assert_eq!(MOBILENET_V3.canonical(&written), logged);
    assert_eq!(
        MOBILENET_V3.isomorphism_key(&written),
        MOBILENET_V3.isomorphism_key(&logged)
    );
    assert_eq!(MOBILENET_V3.active_genes(&written), MOBILENET_V3.active_genes(&logged));
    let active = MOBILENET_V3.active_genes(&logged);
    // Five depths, the resolution, and two genes for each of 2 + 3 + 2 + 4 + 3 blocks.
    assert_eq!(active.iter().filter(|active| **active).count(), 5 + 1 + 2 * 14);
    assert_eq!(active[5..13], [true, true, true, true, false, false, false, false]);
}

#[test]
fn neighbours_by_hand() {
    let deepest = MOBILENET_V3.parse(&full(20, "4,4,4,4,4", "")).unwrap();
    // Two other depths, kernels and expansions each, 24 other resolutions.
    assert_eq!(MOBILENET_V3.neighbours(&deepest).len(), 2 * (5 + 20 + 20) + 24);
    let shallowest = MOBILENET_V3.parse(&full(20, "2,2,2,2,2", "")).unwrap();
    assert_eq!(MOBILENET_V3.neighbours(&shallowest).len(), 2 * (5 + 10 + 10) + 24);
}

#[test]
fn drawn_mutated_and_crossed_architectures_are_canonical() {
    let mut rng = StdRng::seed_from_u64(7);
    for space in SPACES {
        for _ in 0..300 {
            let [mother, father] = [(); 2].map(|()| space.sample(&mut rng));
            let mutant = space.mutate(&mother, 0.1, &mut rng);
            let child = space.crossover(&mother, &father, &mut rng);
            for one in [&mother, &mutant, &child] {
                assert_eq!(&space.canonical(one), one, "{}", space.print(one));
            }
            // A block that the child runs has the genes of a parent that runs it.
            let parents = [
                (&mother, space.active_genes(&mother)),
                (&father, space.active_genes(&father)),
            ];
            for (position, _) in space
                .active_genes(&child)
                .iter()
                .enumerate()
                .filter(|(_, active)| **active)
            {
                let inherited = |(parent, active): &(&Architecture, Vec<bool>)| {
                    active[position] && parent.0[position] == child.0[position]
                };
                assert!(parents.iter().any(inherited));
            }
        }
    }
}

/// A stage that grows is as likely to grow by any block.
#[test]
fn blocks_that_begin_to_run_are_drawn() {
    let mut rng = StdRng::seed_from_u64(8);
    let shallow = MOBILENET_V3.canonical(&MOBILENET_V3.parse(&full(20, "2,2,2,2,2", "")).unwrap());
    let mut seen = [0; 3];
    for _ in 0..2_000 {
        let mutant = MOBILENET_V3.mutate(&shallow, 0.02, &mut rng);
        if mutant.0[0] > 0 {
            seen[usize::from(mutant.0[genes::block_gene(2)])] += 1;
        }
    }
    let grown: usize = seen.iter().sum();
    assert!(grown > 50 && seen.iter().all(|&count| 5 * count > grown), "{seen:?}");
}

/// MACs of all convolutions and fully connected layers, and parameters, that PyTorch counts in the active subnets of the reference
/// implementation's supernets. The same kernel, expansion and depth everywhere, and configurations that it drew.
#[test]
fn macs_and_parameters_of_the_reference_implementation() {
    let uniform = |space: &OnceForAll, [kernel, expansion, depth, resolution]: [u32; 4]| {
        let list = |entry: u32, length| vec![entry.to_string(); length].join(",");
        let blocks = space.skeleton.blocks();
        let [kernels, expansions] = [kernel, expansion].map(|entry| list(entry, blocks));
        let depths = list(depth, 5);
        format!(r#"{{"ks":[{kernels}],"e":[{expansions}],"d":[{depths}],"r":{resolution}}}"#)
    };
    let counted = [
        (&MOBILENET_V3, [3, 3, 2, 128], 41_476_224, 3_410_792),
        (&MOBILENET_V3, [7, 6, 4, 224], 566_170_656, 7_664_760),
        (&MOBILENET_V3, [5, 4, 3, 160], 129_548_864, 4_551_792),
        (&MOBILENET_V3, [3, 6, 2, 172], 140_031_552, 4_672_808),
        (&MOBILENET_V3, [7, 3, 4, 132], 117_637_904, 4_554_328),
        (&MOBILENET_V3_W12, [3, 3, 2, 128], 65_536_896, 4_602_456),
        (&MOBILENET_V3_W12, [7, 6, 4, 224], 843_101_040, 10_701_632),
        (&MOBILENET_V3_W12, [5, 4, 3, 160], 198_948_384, 6_245_312),
        (&MOBILENET_V3_W12, [3, 6, 2, 172], 221_704_032, 6_453_168),
        (&MOBILENET_V3_W12, [7, 3, 4, 132], 174_077_352, 6_207_768),
        (&PROXYLESS_NAS, [3, 3, 2, 128], 87_823_104, 3_718_832),
        (&PROXYLESS_NAS, [7, 6, 4, 224], 1_004_908_032, 7_942_056),
        (&PROXYLESS_NAS, [5, 4, 3, 160], 249_271_200, 5_053_864),
        (&PROXYLESS_NAS, [3, 6, 2, 172], 298_816_448, 5_071_400),
        (&PROXYLESS_NAS, [7, 3, 4, 132], 218_804_328, 5_155_296),
    ];
    let drawn = [
        (
            &MOBILENET_V3,
            r#"{"ks":[3,7,3,5,3,5,5,5,7,5,3,3,5,3,5,5,7,3,7,5],"e":[4,6,3,6,3,4,3,3,3,6,6,3,4,6,3,4,6,3,6,3],"d":[3,3,4,2,3],"r":156}"#,
            136_201_976,
            5_036_464,
        ),
        (
            &MOBILENET_V3_W12,
            r#"{"ks":[7,3,5,5,3,5,7,7,3,3,7,7,5,3,7,5,7,7,7,5],"e":[6,6,3,4,4,6,4,6,4,6,3,4,3,6,4,4,6,3,4,6],"d":[4,4,4,3,2],"r":184}"#,
            366_787_584,
            6_214_008,
        ),
        (
            &PROXYLESS_NAS,
            r#"{"ks":[5,5,3,5,7,7,3,3,7,7,5,3,7,5,7,7,7,5,7,7,3],"e":[4,4,6,4,6,4,6,3,4,3,6,4,4,6,3,4,6,6,6,6,4],"d":[2,3,4,4,2,1],"r":192}"#,
            397_964_096,
            5_258_928,
        ),
    ];
    let uniform = counted.map(|(space, choices, macs, parameters)| (space, uniform(space, choices), macs, parameters));
    let drawn = drawn.map(|(space, text, macs, parameters)| (space, text.to_owned(), macs, parameters));
    for (space, text, macs, parameters) in uniform.into_iter().chain(drawn) {
        let network = space.lower(&space.parse(&text).unwrap(), InputSize::square(32), 1000);
        assert_eq!(
            (network.macs(), network.parameters()),
            (macs, parameters),
            "{} {text}",
            space.id()
        );
    }
}

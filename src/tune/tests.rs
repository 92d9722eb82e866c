use super::*;
use crate::measure::LatencySummary;
use crate::predict::Knowledge;

/// A device on which a network takes 2 ms and 0.1 ms for every million MACs, on NAS-Bench-201 cells 2.5 to 24 ms.
fn latency_ms(advisor: &Advisor, design: &Design) -> f64 {
    let macs = advisor.predictor().computed(design);
    2.0 + 0.1 * macs.get(Metric::Macs).unwrap()
}

fn measured(design: &Design, latency_ms: f64) -> Measured {
    Measured {
        device: "board".into(),
        design: design.clone(),
        latency: LatencySummary::of(&[&[latency_ms]], Seed(0)).unwrap(),
        energy_mj: None,
    }
}

fn options(limits_ms: &[f64]) -> TuneOptions {
    TuneOptions {
        limits_ms: limits_ms.to_vec(),
        request: Request::default(),
        probes: 5,
        budget: 30,
        batch: 4,
        worth: 0.05,
        accept_implausible: false,
        seed: Seed(0),
    }
}

fn board() -> Device {
    Device::named("board")
}

/// Measures truly, and keeps what was asked for.
fn truly<'a>(
    advisor: &'a Advisor,
    asked: &'a mut Vec<(Stage, Design)>,
) -> impl FnMut(Stage, &[Design]) -> Result<Outcome> + 'a {
    |stage, designs| {
        asked.extend(designs.iter().map(|design| (stage, design.clone())));
        Ok(Outcome {
            measured: designs
                .iter()
                .map(|one| measured(one, latency_ms(advisor, one)))
                .collect(),
            ..Outcome::default()
        })
    }
}

/// The accuracy of the best cell within a limit, from the whole table.
fn best_accuracy(advisor: &Advisor, tuning: &Tuning, limit_ms: f64) -> f64 {
    let table = advisor.predictor().table().unwrap();
    let cells = table.architectures.iter().zip(&table.accuracies);
    let within = cells.filter(|(cell, _)| latency_ms(advisor, &tuning.device.design((*cell).clone())) <= limit_ms);
    within.map(|(_, accuracy)| accuracy.percent.mean).fold(0.0, f64::max)
}

#[test]
fn designs_hold_their_limits_and_are_nearly_the_best() {
    let advisor = Advisor::open("nasbench201").unwrap();
    let mut asked = Vec::new();
    let options = options(&[4.0, 8.0, 16.0]);
    let tuning = tune(&advisor, &board(), &options, &mut truly(&advisor, &mut asked)).unwrap();
    assert!(asked.len() <= options.budget, "{}", asked.len());
    let all = [Stage::Probe, Stage::Design, Stage::Confirmation];
    assert_eq!(all.map(|stage| tuning.spent(stage)).iter().sum::<usize>(), asked.len());
    assert_eq!(tuning.spent(Stage::Probe), 5);
    assert!((1..=3).contains(&tuning.confirmations) && tuning.overturned == 0);
    for tuned in &tuning.tuned {
        let trial = &tuning.trials[tuned.trial.unwrap()];
        assert!(tuned.holds && tuned.confirmation.is_some());
        assert!(latency_ms(&advisor, &trial.measured.design) <= tuned.limit_ms);
        let lost = best_accuracy(&advisor, &tuning, tuned.limit_ms) - trial.accuracy.percent.mean;
        assert!((0.0..1.0).contains(&lost), "{} ms: {lost} points", tuned.limit_ms);
    }
    // Nothing but confirmations is measured twice.
    let mut first: Vec<&Design> = asked
        .iter()
        .filter(|one| one.0 != Stage::Confirmation)
        .map(|one| &one.1)
        .collect();
    let count = first.len();
    first.sort_by_key(|design| design.print(advisor.space()));
    first.dedup();
    assert_eq!(first.len(), count);
    assert_eq!(tuning.device.knowledge, Knowledge::Probes);
}

#[test]
fn a_design_that_was_lucky_once_is_overturned() {
    let advisor = Advisor::open("nasbench201").unwrap();
    // Everything seems three tenths faster at first than when it is confirmed.
    let mut lucky = |stage: Stage, designs: &[Design]| {
        let share = if stage == Stage::Confirmation { 1.0 } else { 0.7 };
        let latency = |design: &Design| share * latency_ms(&advisor, design);
        Ok(Outcome {
            measured: designs.iter().map(|one| measured(one, latency(one))).collect(),
            ..Outcome::default()
        })
    };
    let tuning = tune(&advisor, &board(), &options(&[8.0]), &mut lucky).unwrap();
    let tuned = &tuning.tuned[0];
    let confirmed = tuned.confirmation.as_ref().unwrap().latency.median_ms;
    assert!(tuned.holds && confirmed <= 8.0, "{confirmed}");
    assert!(tuning.overturned > 0);
    assert!(tuning.confirmations > tuning.overturned);
}

#[test]
fn designs_that_do_not_run_are_named_and_passed_over() {
    let advisor = Advisor::open("nasbench201").unwrap();
    let pools = |design: &Design| design.print(advisor.space()).contains("avg_pool");
    let mut picky = |_: Stage, designs: &[Design]| {
        let (refused, run): (Vec<&Design>, Vec<&Design>) = designs.iter().partition(|one| pools(one));
        Ok(Outcome {
            measured: run.iter().map(|one| measured(one, latency_ms(&advisor, one))).collect(),
            refused: (refused.into_iter())
                .map(|design| Refused {
                    design: design.clone(),
                    reason: "AveragePool is not known".into(),
                })
                .collect(),
            ..Outcome::default()
        })
    };
    let tuning = tune(&advisor, &board(), &options(&[8.0]), &mut picky).unwrap();
    assert!(!tuning.refused.is_empty());
    assert!(tuning.trials.iter().all(|trial| !pools(&trial.measured.design)));
    assert!(tuning.tuned[0].holds);
}

#[test]
fn where_no_design_holds_the_fastest_is_told() {
    let advisor = Advisor::open("nasbench201").unwrap();
    let mut asked = Vec::new();
    let tuning = tune(
        &advisor,
        &board(),
        &options(&[1.0, 8.0]),
        &mut truly(&advisor, &mut asked),
    )
    .unwrap();
    let [unreachable, reachable] = &tuning.tuned[..] else {
        panic!()
    };
    assert!(!unreachable.holds && reachable.holds);
    let latency = |trial: &Trial| trial.measured.latency.median_ms;
    let fastest = tuning.trials.iter().map(latency).fold(f64::INFINITY, f64::min);
    assert_eq!(latency(&tuning.trials[unreachable.trial.unwrap()]), fastest);
}

#[test]
fn limits_on_what_follows_from_the_network_hold_exactly() {
    let advisor = Advisor::open("nasbench201").unwrap();
    let mut asked = Vec::new();
    let small = TuneOptions {
        request: Request::at_most(Metric::Parameters, 0.3).unwrap(),
        ..options(&[16.0])
    };
    let tuning = tune(&advisor, &board(), &small, &mut truly(&advisor, &mut asked)).unwrap();
    let trial = &tuning.trials[tuning.tuned[0].trial.unwrap()];
    assert!(tuning.tuned[0].holds && *trial.computed.get(Metric::Parameters).unwrap() <= 0.3);
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_measured() {
    let advisor = Advisor::open("nasbench201").unwrap();
    let mut never = |_: Stage, _: &[Design]| -> Result<Outcome> { panic!("nothing is to be measured") };
    let mut refused = |options: TuneOptions| tune(&advisor, &board(), &options, &mut never).unwrap_err().to_string();
    assert!(refused(options(&[])).contains("number of limits: expected 1 to 100, found 0"));
    assert!(refused(options(&[0.0])).contains("latency limit"));
    assert!(
        refused(TuneOptions {
            probes: 0,
            ..options(&[8.0])
        })
        .contains("at least 1")
    );
    let message = refused(TuneOptions {
        budget: 6,
        ..options(&[8.0])
    });
    assert!(
        message.contains("measurements allowed: expected 7 to 10000"),
        "{message}"
    );
    // A limit on energy needs measured energy.
    let mut asked = Vec::new();
    let frugal = TuneOptions {
        request: Request::at_most(Metric::Energy, 5.0).unwrap(),
        ..options(&[8.0])
    };
    let message = tune(&advisor, &board(), &frugal, &mut truly(&advisor, &mut asked))
        .unwrap_err()
        .to_string();
    assert!(message.contains("energy"), "{message}");
    assert_eq!(asked.len(), 5);
}

/// Tunings with one trial each: accuracy in percent, whether it holds the limit, and its latency in ms.
#[test]
fn the_better_answer_is_taken_of_several_precisions() {
    let advisor = Advisor::open("nasbench201").unwrap();
    let mut asked = Vec::new();
    let tuning = tune(&advisor, &board(), &options(&[8.0]), &mut truly(&advisor, &mut asked)).unwrap();
    let with = |accuracy: f64, holds: bool, latency_ms: f64| {
        let mut tuning = tuning.clone();
        let trial = tuning.tuned[0].trial.unwrap();
        tuning.tuned[0].holds = holds;
        tuning.trials[trial].accuracy.percent.mean = accuracy;
        tuning.trials[trial].measured.latency.median_ms = latency_ms;
        tuning
    };
    let [accurate, faster, missing] = [with(93.0, true, 7.9), with(92.0, true, 3.0), with(94.0, false, 9.0)];
    assert_eq!(better(&[faster.clone(), accurate.clone()]), [1]);
    assert_eq!(better(&[accurate.clone(), faster.clone()]), [0]);
    assert_eq!(better(&[missing.clone(), faster]), [1]);
    // Quantization is not counted against accuracy: of equals the first is taken.
    assert_eq!(better(&[accurate.clone(), with(93.0, true, 2.0)]), [0]);
    assert_eq!(better(&[missing, with(90.0, false, 8.5)]), [1]);
    assert_eq!(better(&[accurate]), [0]);
    assert!(better(&[]).is_empty());
}

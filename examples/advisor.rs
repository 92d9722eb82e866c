//! A program that chooses networks without the command line: one advisor, shared by threads, asked about several devices.
//!
//! ```text
//! cargo run --release --no-default-features --example advisor
//! ```

use std::error::Error;
use std::thread;

use edgefit::optimize::Proposals;
use edgefit::{Advisor, Device, Metric, Request};

/// Limit on the latency of every device, in ms.
const LIMIT_MS: f64 = 10.0;

fn main() -> Result<(), Box<dyn Error>> {
    let advisor = Advisor::open("nasbench201")?;
    // Two that the checkpoint knows by measurements, and one by nothing but a few values of its datasheet.
    let board = Device {
        class: Some("board-cpu".into()),
        peak_gflops: Some(48.0),
        memory_bandwidth_gb_s: Some(8.5),
        year: Some(2021.0),
        ..Device::named("my-board")
    };
    let devices = [
        advisor.device("pixel3")?,
        advisor.device("silver_4210r")?,
        advisor.describe(&board)?,
    ];
    let request = Request::at_most(Metric::Latency, LIMIT_MS)?;
    let answers: Vec<edgefit::error::Result<Proposals>> = thread::scope(|scope| {
        let threads: Vec<_> = devices
            .iter()
            .map(|device| scope.spawn(|| advisor.design(device, &request)))
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    for (device, answer) in devices.iter().zip(answers) {
        let answer = answer?;
        let best = answer.best();
        let latency = best.metrics.latency();
        println!(
            "{}: {} with {:.1} % accuracy and {:.1} ms (90 %: {:.1} to {:.1}), within {LIMIT_MS} ms with P = {:.2}{}",
            device.id,
            best.design.print(advisor.space()),
            best.accuracy.percent.mean,
            latency.mean,
            latency.low,
            latency.high,
            best.feasible_probability,
            if answer.feasible() {
                ""
            } else {
                "; the closest there is"
            }
        );
    }
    Ok(())
}

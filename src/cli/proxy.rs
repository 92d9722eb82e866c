//! `edgefit proxy`: which devices agree, which stand for others, and how to repair those that do not.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Subcommand};

use super::table::{fits, new_table};
use super::{DatasetArgs, Global, print, print_json, proxy_adapt, proxy_compare};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::files::FileKind;
use crate::metric::Metric;
use crate::proxy::Fleet;
use crate::proxy::monotonicity::{MIN_COMMON, Monotonicity, monotonicity};
use crate::proxy::select::{ChosenProxy, Selection, select};
use crate::report::matrix_heatmap;
use crate::space::InputSize;

/// Widest matrix that is printed as a table.
const WIDEST_TABLE: usize = 32;
/// What the columns before the matrix and each of its own take on a terminal, about.
const LEADING_WIDTH: usize = 44;
const COLUMN_WIDTH: usize = 7;

#[derive(Debug, Subcommand)]
pub(crate) enum ProxyVerb {
    /// Rank correlations between all devices of a dataset, and the clusters of those that agree
    #[command(after_help = "\
Examples:
  edgefit proxy matrix --dataset datasets/nasbench201-fleet
  edgefit proxy matrix --dataset datasets/nasbench201-fleet --threshold 0.95 --csv pairs.csv --svg matrix.svg
  edgefit proxy matrix --dataset datasets/nasbench201-fleet --json

Clusters grow by complete linkage: every two devices of one agree. The rows `macs` and `parameters` say how well counting
would do.")]
    Matrix(MatrixArgs),
    /// The fewest devices that stand for a fleet
    #[command(after_help = "\
Examples:
  edgefit proxy select --dataset datasets/nasbench201-fleet --threshold 0.9
  edgefit proxy select --dataset datasets/nasbench201-fleet --candidates pixel3,raspi4 --json")]
    Select(SelectArgs),
    /// Reuse a proxy's Pareto set on other devices, after adapting the proxy (AdaProxy) where it ranks them badly
    #[command(after_help = "\
Examples:
  edgefit proxy adapt --dataset datasets/nasbench201-fleet --proxy pixel3 --targets fpga,raspi4
  edgefit proxy adapt --dataset datasets/nasbench201-fleet --proxy pixel3 --always --samples 20 --repeats 5 --norm inf

Measurements on a target are looked up in the dataset. SRCC before and after are over architectures that are not samples.
Without accuracies no Pareto sets are compared.")]
    Adapt(proxy_adapt::AdaptArgs),
    /// Compare per-device search, proxies, the predictor and the optimizer at equal numbers of measurements
    #[command(after_help = "\
Example:
  edgefit proxy compare --checkpoint few --dataset table --devices raspi4 --measurements 5,10

Train the checkpoint without the targets. Regret is in percentage points of accuracy against the best architecture in the
table within the limit.")]
    Compare(proxy_compare::CompareArgs),
}

/// The devices to look at.
#[derive(Debug, Args)]
pub(crate) struct FleetArgs {
    #[command(flatten)]
    datasets: DatasetArgs,
    /// Devices, as ids or hardware units, separated by commas [default: all]
    #[arg(long, value_delimiter = ',')]
    devices: Vec<String>,
    /// Input size of the measurements, such as 32x32 [default: the only one]
    #[arg(long)]
    input: Option<InputSize>,
    /// Compare energies instead of latencies
    #[arg(long)]
    energy: bool,
    /// SRCC from which on devices agree
    #[arg(long, default_value_t = 0.9, allow_negative_numbers = true)]
    threshold: f64,
    /// Pairs with fewer architectures in common never count as agreeing
    #[arg(long, default_value_t = MIN_COMMON)]
    least_common: usize,
}

#[derive(Debug, Args)]
pub(crate) struct MatrixArgs {
    #[command(flatten)]
    fleet: FleetArgs,
    /// Leave out the rows of multiply-accumulate operations and parameters
    #[arg(long)]
    no_counts: bool,
    /// File to write the pairs to, as comma-separated values
    #[arg(long)]
    csv: Option<PathBuf>,
    /// File to write the matrix to, as an SVG heatmap with the SRCC in its cells
    #[arg(long)]
    svg: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SelectArgs {
    #[command(flatten)]
    fleet: FleetArgs,
    /// Devices that may be proxies, as ids or hardware units [default: all]
    #[arg(long, value_delimiter = ',')]
    candidates: Vec<String>,
    /// How many proxies beyond those needed are described
    #[arg(long, default_value_t = 3)]
    further: usize,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(verb: &ProxyVerb, global: &Global) -> Result<ExitCode> {
    match verb {
        ProxyVerb::Matrix(args) => matrix(args, global)?,
        ProxyVerb::Select(args) => selection(args, global)?,
        ProxyVerb::Adapt(args) => proxy_adapt::run(args, global)?,
        ProxyVerb::Compare(args) => proxy_compare::run(args, global)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn matrix(args: &MatrixArgs, global: &Global) -> Result<()> {
    for (path, kind) in [(&args.csv, FileKind::Correlations), (&args.svg, FileKind::Figure)] {
        path.as_ref().map_or(Ok(()), |path| global.check_out(path, kind))?;
    }
    let dataset = args.fleet.datasets.read_without_accuracies(global)?;
    let fleet = fleet(&args.fleet, &dataset)?;
    let started = Instant::now();
    // Without a single row there is no input size, and nothing to count.
    let input = args.fleet.input.or(dataset.inputs.first().copied());
    let fleet = match input.filter(|_| !args.no_counts) {
        Some(input) => fleet.with_counts(input),
        None => fleet,
    };
    let found = monotonicity(&fleet, args.fleet.threshold, args.fleet.least_common)?;
    global.say(format!(
        "{} pairs over {} architectures in {:.2} s",
        found.pairs.len(),
        fleet.architectures.len(),
        started.elapsed().as_secs_f64()
    ));
    warn(&found, global);
    if let Some(path) = &args.csv {
        let mut table = Vec::new();
        write_pairs(&found, &mut table).map_err(Error::io("write", path))?;
        global.write_out(path, &table, &format!("wrote {}", path.display()))?;
    }
    if let Some(path) = &args.svg {
        let figure = matrix_heatmap(&found).svg()?;
        global.write_out(path, figure.as_bytes(), &format!("wrote {}", path.display()))?;
    }
    if args.json {
        print_json(&found)
    } else {
        print(&matrix_table(&found))
    }
}

fn fleet(args: &FleetArgs, dataset: &Dataset) -> Result<Fleet> {
    let devices = if args.devices.is_empty() {
        (0..dataset.devices.len()).collect()
    } else {
        dataset.resolve_devices(&args.devices)?
    };
    let metric = if args.energy { Metric::Energy } else { Metric::Latency };
    Fleet::of(dataset, &devices, metric, args.input)
}

/// Says what makes figures worth less than they seem.
fn warn(found: &Monotonicity, global: &Global) {
    for row in &found.rows {
        if row.measured == 0 {
            global.say(format!("warning: nothing was measured on {}", row.id));
        } else if row.constant {
            global.say(format!(
                "warning: all values of {} are equal, so it ranks nothing",
                row.id
            ));
        }
    }
    for pair in &found.duplicates {
        global.say(format!(
            "warning: {} and {} are the same measurements twice ({} of {} equal, ratios spread by {:.2} %)",
            pair.first,
            pair.second,
            pair.identical,
            pair.architectures,
            100.0 * pair.spread
        ));
    }
}

fn write_pairs(found: &Monotonicity, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record([
        "first",
        "second",
        "architectures",
        "spearman",
        "spearman_low",
        "spearman_high",
        "kendall",
        "kendall_low",
        "kendall_high",
    ])?;
    for pair in &found.pairs {
        let mut record = vec![
            found.rows[pair.first].id.clone(),
            found.rows[pair.second].id.clone(),
            pair.architectures.to_string(),
        ];
        for correlation in [&pair.spearman, &pair.kendall] {
            match correlation {
                Some(one) => record.extend([one.mean, one.low, one.high].map(|value| format!("{value:.6}"))),
                None => record.extend([const { String::new() }; 3]),
            }
        }
        writer.write_record(record)?;
    }
    writer.flush()
}

fn matrix_table(found: &Monotonicity) -> String {
    let shown = found.rows.len() <= WIDEST_TABLE && fits(LEADING_WIDTH + COLUMN_WIDTH * found.rows.len());
    let mut header = vec!["#".to_string(), "device".into(), "cluster".into(), "measured".into()];
    if shown {
        header.extend((0..found.rows.len()).map(|row| (row + 1).to_string()));
    }
    let mut table = new_table(header);
    for (index, row) in found.rows.iter().enumerate() {
        let mut cells = vec![
            (index + 1).to_string(),
            row.id.clone(),
            row.cluster.map_or("-".into(), |cluster| (cluster + 1).to_string()),
            row.measured.to_string(),
        ];
        if shown {
            cells.extend((0..found.rows.len()).map(|other| match found.pair(index, other) {
                None => "1".into(),
                Some(pair) => pair.spearman.map_or("-".into(), |one| format!("{:.2}", one.mean)),
            }));
        }
        table.add_row(cells);
    }
    let sizes: Vec<String> = found.clusters.iter().map(|cluster| cluster.len().to_string()).collect();
    let widest = found
        .pairs
        .iter()
        .filter_map(|pair| pair.spearman)
        .map(|one| one.high - one.low);
    format!(
        "{table}\nSRCC; {} clusters of {} devices that agree pairwise at {} or more; widest {:.0} % interval {:.3}",
        found.clusters.len(),
        sizes.join(", "),
        found.threshold,
        100.0 * found.level,
        widest.fold(0.0, f64::max)
    )
}

fn selection(args: &SelectArgs, global: &Global) -> Result<()> {
    let dataset = args.fleet.datasets.read_without_accuracies(global)?;
    let candidates = if args.candidates.is_empty() {
        (0..dataset.devices.len()).collect()
    } else {
        dataset.resolve_devices(&args.candidates)?
    };
    let targets = if args.fleet.devices.is_empty() {
        (0..dataset.devices.len()).collect()
    } else {
        dataset.resolve_devices(&args.fleet.devices)?
    };
    let compared: BTreeSet<usize> = candidates.iter().chain(&targets).copied().collect();
    let metric = if args.fleet.energy {
        Metric::Energy
    } else {
        Metric::Latency
    };
    let fleet = Fleet::of(
        &dataset,
        &compared.into_iter().collect::<Vec<_>>(),
        metric,
        args.fleet.input,
    )?;
    let found = monotonicity(&fleet, args.fleet.threshold, args.fleet.least_common)?;
    warn(&found, global);
    let ids =
        |devices: &[usize]| -> Vec<String> { devices.iter().map(|&one| dataset.devices[one].id.clone()).collect() };
    let selection = select(
        &found,
        &ids(&candidates),
        &ids(&targets),
        args.fleet.threshold,
        args.further,
    )?;
    if args.json {
        print_json(&selection)
    } else {
        print(&selection_table(&selection))
    }
}

fn selection_table(selection: &Selection) -> String {
    let mut table = new_table(["", "proxy", "adds", "covered", "mean best SRCC"]);
    let row = |kind: &str, proxy: &ChosenProxy| {
        let adds: Vec<String> = proxy
            .adds
            .iter()
            .map(|target| format!("{} {:.2}", target.id, target.spearman))
            .collect();
        [
            kind.to_string(),
            proxy.id.clone(),
            adds.join(", "),
            format!("{} of {}", proxy.covered, selection.targets),
            format!("{:.3}", proxy.mean_best_spearman),
        ]
    };
    for proxy in &selection.proxies {
        table.add_row(row("needed", proxy));
    }
    for proxy in &selection.further {
        table.add_row(row("further", proxy));
    }
    let size = if selection.exact {
        format!("no fewer than {} cover as much", selection.at_least)
    } else {
        format!(
            "no fewer than {} cover as much; whether so few do is not known",
            selection.at_least
        )
    };
    let mut text = format!(
        "{table}\n{} proxies cover at SRCC {} or more; {size}",
        selection.proxies.len(),
        selection.threshold
    );
    for target in &selection.uncovered {
        text += &match &target.nearest {
            Some(nearest) => format!(
                "\nnot covered: {}, nearest {} at {:.3}",
                target.id, nearest.id, nearest.spearman
            ),
            None => format!(
                "\nnot covered: {}, which agrees with nothing that can be said",
                target.id
            ),
        };
    }
    text
}

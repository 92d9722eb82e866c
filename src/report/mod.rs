//! Figures and reports: results in, SVG or HTML out. One figure per file; the pages put them together.
//!
//! Every figure can be read in grey and by people with any kind of colour vision, because values stand beside colours and
//! series differ in marker and dashes too. Nothing in a page is fetched, and nothing in it runs.

mod axis;
mod calibration;
mod canvas;
mod colour;
mod context;
mod dark;
mod designs;
mod devices;
mod dots;
mod escape;
mod explained;
mod fronts;
mod heatmap;
mod html;
mod large_space;
mod lines;
mod measured;
mod optimizer;
mod panels;
mod predictions;
mod predictor;
mod provenance;
mod proxy;
mod scatter;
mod score;
mod series;
#[cfg(test)]
mod svg_check;
mod tuning;

pub use calibration::CalibrationCurve;
pub use context::{Context, LimitsRow};
pub use designs::{DesignRow, designs_csv, pareto_csv};
pub use devices::{DeviceRow, devices_csv};
pub use dots::Dots;
pub use explained::{ExplainedRow, explained_sentence};
pub use fronts::{FrontPanel, Fronts};
pub use heatmap::Heatmap;
pub use html::{Block, Page, Section, Table};
pub use large_space::large_space_page;
pub use lines::Lines;
pub use measured::{MeasuredRow, measured_csv};
pub use optimizer::optimizer_page;
pub use panels::Panels;
pub use predictions::{PredictionRow, predictions_csv};
pub use predictor::predictor_page;
pub use provenance::Provenance;
pub use proxy::{matrix_heatmap, proxy_page};
pub use scatter::Scatter;
#[cfg(feature = "cli")]
pub(crate) use score::kind_of;
pub use score::{drop_note, precisions_note};
pub use tuning::{RefusedRow, Spent, TrialRow, TunedRow, TuningReport, tuning_page};

//! What the state of the machine says before anything is measured.

use super::MeasureWarning;
use crate::measure::host::HostState;

/// What the state of the machine says about what is measured on it with so many threads.
pub(in crate::measure) fn of_host(host: &HostState, threads: usize) -> Vec<MeasureWarning> {
    let mut warnings = Vec::new();
    if let (Some(load), Some(cores)) = (host.load, host.cores)
        && load + threads as f64 > cores as f64 + 0.5
    {
        warnings.push(MeasureWarning::Loaded { load, cores, threads });
    }
    match &host.governors {
        Some(governors) if governors.iter().any(|one| one != "performance") => {
            warnings.push(MeasureWarning::Scaling {
                governors: governors.clone(),
            });
        }
        _ => {}
    }
    if host.turbo == Some(true) {
        warnings.push(MeasureWarning::Turbo);
    }
    let unknown = host.unknown();
    if !unknown.is_empty() {
        warnings.push(MeasureWarning::Unknown { what: unknown });
    }
    warnings
}

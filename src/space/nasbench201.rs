//! NAS-Bench-201 cells (Dong & Yang, *NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search*, ICLR 2020).

use super::{Architecture, InputSize, Network, SearchSpace};
use crate::error::Result;

/// The NAS-Bench-201 search space: six edges, five operations each.
#[derive(Debug, Clone, Copy)]
pub struct NasBench201;

impl SearchSpace for NasBench201 {
    fn id(&self) -> &'static str {
        "nasbench201"
    }

    fn choices(&self) -> &[u8] {
        &[5; 6]
    }

    fn parse(&self, _text: &str) -> Result<Architecture> {
        todo!()
    }

    fn print(&self, _architecture: &Architecture) -> String {
        todo!()
    }

    fn isomorphism_key(&self, _architecture: &Architecture) -> String {
        todo!()
    }

    fn lower(&self, _architecture: &Architecture, _input: InputSize, _classes: u32) -> Network {
        todo!()
    }

    fn size(&self) -> Option<usize> {
        Some(15_625)
    }
}

//! Search spaces whose designs are an architecture together with its quantization policy: genes say the bits of the layers
//! beside what the layers are, or the bits of one network's layers alone.
//!
//! Whoever searches genes thus searches both at once, and a policy that is written gene by gene writes both in one sequence.
//! Layers without bits of their own have eight.

mod mobilenet_v2;
mod nasbench201;
mod proxylessnas;

pub use mobilenet_v2::MobileNetV2Bits;
pub use nasbench201::NasBench201Mixed;
pub use proxylessnas::{PROXYLESS_NAS_MIXED, ProxylessNasMixed};

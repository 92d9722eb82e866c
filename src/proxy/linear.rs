//! A linear latency model of a device on the one-hot encoding of architectures.

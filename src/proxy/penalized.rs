//! Least squares with a penalty on the norm of the weights.

//! bitmosaic room `kernels`.

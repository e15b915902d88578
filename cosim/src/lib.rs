//! bitmosaic room `cosim`.

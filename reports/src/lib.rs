//! bitmosaic room `reports`.

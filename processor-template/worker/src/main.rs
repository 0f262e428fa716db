//! Baton worker.
fn main() {}

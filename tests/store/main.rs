//! The store, tested script by script.

//! The Python runner of the same name, before and after us: the same configuration, the same state
//! file, in both directions.

pub mod peer;
mod recordings;
mod spellings;
mod stages;
mod there_and_back;

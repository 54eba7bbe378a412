//! What the fuzz targets share: a secret that must not be told, files in memory, and a service on
//! loopback that answers whatever it is told to.

pub mod files;
pub mod secrecy;
pub mod service;

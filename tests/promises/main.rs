//! What this program promises its users, each file a promise, told with the real program as a
//! process in a sandbox world.

mod configuration;
mod failures;
mod journey;
mod limits;
mod local_docker;
mod manual;
mod orphans;
mod outages;
mod registration;
mod restart;
mod secrecy;
mod service;
mod state_file;
mod tenants;
mod town;

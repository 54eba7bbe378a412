//! What this program promises its users, each file a promise, told with the real program as a
//! process in a sandbox world.

mod cancellation;
mod configuration;
mod credentials;
mod dead_machines;
mod failures;
mod faults;
mod grants;
mod isolation;
mod journey;
mod kills;
mod limits;
mod load;
mod local_docker;
mod logs;
mod manual;
mod offers;
mod orphans;
mod outages;
mod output;
mod own_word;
mod patience;
mod proxies;
mod proxy_settings;
mod push;
mod python_runner;
mod registration;
mod restart;
mod scene;
mod secrecy;
mod service;
mod ssh;
mod state_file;
mod strangers;
mod tenants;
mod trust;

//! The sizes of machines on offer, as objects of the API. Clever page, 2.1.
//!
//! They are JSON values throughout, so that a test can put any nonsense into the answer.

use serde_json::{Value, json};

/// Name, RAM in MiB, vCPUs, € per hour.
const RUNNER_SIZES: [(&str, u64, u64, f64); 7] = [
    ("XS", 2048, 1, 0.111_111_111_1),
    ("S", 4096, 2, 0.277_777_777_8),
    ("M", 8192, 4, 0.555_555_555_6),
    ("L", 12288, 6, 0.833_333_333_3),
    ("XL", 16384, 8, 1.111_111_111_1),
    ("2XL", 24576, 12, 1.833_333_333_3),
    ("3XL", 32768, 16, 2.666_666_666_7),
];

pub(super) const CONTEXT: &str = "heptapod-runner";

/// The runner flavors, one of them not on offer, and one of another family: the real answer can
/// hold both.
#[must_use]
pub fn usual_flavors() -> Vec<Value> {
    let mut flavors: Vec<Value> = RUNNER_SIZES
        .iter()
        .map(|&(size, mem, cpus, price)| flavor(CONTEXT, size, mem, cpus, price))
        .collect();
    let mut unavailable = flavor(CONTEXT, "4XL", 65536, 16, 0.0);
    unavailable["available"] = json!(false);
    flavors.push(unavailable);
    flavors.push(flavor("jenkins-runner", "XL", 16384, 8, 1.111_111_111_1));
    flavors
}

fn flavor(family: &str, size: &str, mem: u64, cpus: u64, price: f64) -> Value {
    describe(
        &format!("{family}-{size}"),
        &format!("{family}.{size}"),
        mem,
        mem,
        cpus,
        price,
    )
}

/// The flavors of ordinary applications. `mem` and `memory` disagree for the small ones, as seen.
pub(super) fn regular_flavors() -> Vec<Value> {
    [
        ("pico", 337, 256, 1, 0.00625),
        ("nano", 512, 512, 1, 0.008_333_333_3),
        ("XS", 1152, 1024, 1, 0.022_222_222_2),
        ("S", 2048, 2048, 2, 0.044_444_444_4),
        ("M", 4096, 4096, 4, 0.105_555_555_6),
        ("L", 8192, 8192, 6, 0.211_111_111_1),
        ("XL", 16384, 16384, 8, 0.422_222_222_2),
        ("2XL", 24576, 24576, 12, 0.666_666_666_7),
        ("3XL", 32768, 32768, 16, 0.888_888_888_9),
    ]
    .into_iter()
    .map(|(name, mem, real, cpus, price)| {
        describe(name, &format!("apps.{name}"), mem, real, cpus, price)
    })
    .collect()
}

pub(super) fn build_flavor() -> Value {
    let mut flavor = describe("XL", "apps.XL", 16384, 16384, 8, 0.422_222_222_2);
    flavor["disk"] = Value::Null;
    flavor
}

fn describe(name: &str, price_id: &str, mem: u64, real: u64, cpus: u64, price: f64) -> Value {
    let small = matches!(name, "pico" | "nano");
    json!({
        "name": name, "mem": mem, "cpus": cpus, "gpus": 0, "disk": 0,
        "price": price, "available": true, "microservice": small, "machine_learning": false,
        "nice": if small { 5 } else { 0 }, "price_id": price_id,
        "memory": {"unit": "B", "value": real << 20, "formatted": format!("{real} MiB")},
    })
}

pub(super) fn name_of(flavor: &Value) -> &str {
    flavor["name"].as_str().unwrap_or_default()
}

/// The flavor that a request names, if it can be had. Letter case is forgiven, as seen.
pub(super) fn on_offer<'a>(flavors: &'a [Value], name: &str) -> Option<&'a Value> {
    flavors
        .iter()
        .find(|flavor| name_of(flavor).eq_ignore_ascii_case(name))
        .filter(|flavor| flavor["available"] != json!(false))
}

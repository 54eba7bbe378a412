//! A granted job, as a coordinator may send it: nothing in it makes us panic, it is handed on as it
//! came unless images go through the dependency proxy, and even then only their names change.
//!
//! `tests/fuzz/run payload`

#![no_main]

use heptapod_paas_runner::payload::Payload;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const PREFIX: &str = "CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX";
/// What the prefix may change.
const IMAGES: [&str; 2] = ["image", "services"];

fuzz_target!(|text: &[u8]| {
    let Ok(payload) = Payload::parse(text) else {
        return;
    };
    let _ = (payload.flavor(), payload.tenant(), payload.timeout());
    let came = payload.raw().get();
    if serde_json::from_slice::<Value>(text).is_ok() {
        assert!(text.trim_ascii() == came.as_bytes(), "kept as it came");
    }
    let tree = serde_json::from_str::<Value>(came);
    if let (Ok(()), Err(error)) = (payload.check(), &tree) {
        let too_deep = error.to_string().contains("recursion limit");
        assert!(!too_deep, "what passes the check can be read");
    }
    let handed_on = payload.for_machine();
    match tree {
        Ok(tree) if names_prefix(&tree) => assert_only_images_differ(&payload, tree, &handed_on),
        // Nothing to rewrite, or nothing that can be.
        _ => assert_eq!(handed_on, came),
    }
});

fn names_prefix(tree: &Value) -> bool {
    let mut variables = tree["variables"].as_array().into_iter().flatten();
    variables.any(|variable| variable["key"] == PREFIX)
}

fn assert_only_images_differ(payload: &Payload, mut before: Value, handed_on: &str) {
    let mut after: Value = serde_json::from_str(handed_on).expect("still JSON");
    let again = Payload::parse(handed_on.as_bytes()).expect("still a payload");
    assert_eq!(again.credentials.id, payload.credentials.id);
    assert!(again.credentials.token == payload.credentials.token);
    assert_eq!(again.timeout(), payload.timeout());
    // A second time changes nothing, as long as no name stands for something else.
    if !before.to_string().contains('$') {
        assert_eq!(again.for_machine(), handed_on);
    }
    for key in IMAGES {
        for tree in [&mut before, &mut after] {
            if let Some(images) = tree.get_mut(key) {
                *images = Value::Null;
            }
        }
    }
    assert_eq!(before.to_string(), after.to_string());
}

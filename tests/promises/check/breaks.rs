//! What may be wrong in the world, and what is told of it.

use sandbox::{Fault, Rule};

use crate::scene::{CLEVER_TOKEN, RUNNER_TOKEN, Scene};

/// Something breaks the world, and the fact about this subject is what is told of it.
pub type Break = (
    fn(&mut Scene),
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
);

pub const BREAKS: &[Break] = &[
    (
        |scene| scene.coordinator.suspend(),
        &[],
        "coordinator",
        "nobody listens there",
    ),
    (
        |scene| scene.coordinator.revoke_runner(RUNNER_TOKEN),
        &[],
        "coordinator",
        "check `token`",
    ),
    (
        |scene| {
            let rule = Rule::on("POST", "*/verify").with(Fault::json(
                200,
                &serde_json::json!({"id": 1, "token_expires_at": "2020-01-01T00:00:00.000Z"}),
            ));
            scene.coordinator.faults().inject(rule);
        },
        &[],
        "token",
        "ended at 2020-01-01",
    ),
    (
        |scene| {
            scene
                .environment
                .push(("PATH".to_owned(), "/nowhere".to_owned()));
        },
        &[],
        "git",
        "install git 2.20 or newer",
    ),
    (
        |scene| scene.clever.suspend(),
        &[],
        "organization",
        "could not be asked",
    ),
    (
        |scene| scene.clever.revoke_token(CLEVER_TOKEN),
        &[],
        "organization",
        "cc_auth is \"token\"",
    ),
    (
        |scene| {
            let rule = Rule::on("GET", "*/applications").with(Fault::clever(404, 4001));
            scene.clever.faults().inject(rule);
        },
        &[],
        "organization",
        "check `cc_orga_id`",
    ),
    (
        |scene| {
            let rule = Rule::on("GET", "*/applications").with(Fault::Status {
                code: 200,
                headers: vec![(
                    "Date".to_owned(),
                    "Sun, 06 Nov 1994 08:49:37 GMT".to_owned(),
                )],
                body: b"[]".to_vec(),
            });
            scene.clever.faults().inject(rule);
        },
        &[],
        "clock",
        "ahead of that of",
    ),
    (
        |_| {},
        &[("cc_orga_id", "cc_default_flavor = \"9XL\"\ncc_orga_id")],
        "flavors",
        "on offer are XS, S, M",
    ),
    (
        |_| {},
        &[("cc_orga_id", "cc_max_flavor = \"9XL\"\ncc_orga_id")],
        "flavors",
        "set `cc_max_flavor` to one of XS",
    ),
    (
        |scene| {
            let rule = Rule::on("GET", "*/products/instances").with(Fault::status(500));
            scene.clever.faults().inject(rule);
        },
        &[],
        "machines",
        "status 500",
    ),
    (
        |_| {},
        &[("\"3XL\"", "\"9XL\"")],
        "quota",
        "set it to one of these",
    ),
    (
        |_| {},
        &[
            ("\"3XL\"", "\"XS\""),
            ("count = 8", "count = 1\nallowed_fraction_per_runner = 0.5"),
        ],
        "quota",
        "will never get a job",
    ),
];

//! A page that is small, whatever is on it, and on which foreign words are nothing but words.

use sandbox::{JobSpec, JobStatus};

use crate::scene::{Scene, eventually};

#[test]
fn jobs_that_are_here_and_jobs_that_were_are_on_the_page_in_words_that_are_only_words() {
    let scene = Scene::listening();
    let site = scene.serve();
    let strange = "acme/<script>alert(1)</script>&\"'\u{202e}\u{627}\u{644}\u{639}\u{631}\u{628}\u{64a}\u{629}";
    let spec = JobSpec::new("named", [scene.lasting_script()])
        .project(strange)
        .flavor("XS");
    let job = scene.coordinator.submit(spec);
    scene.await_status(job, |status| status == JobStatus::Running);
    let shown = "<bdi>acme/&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#39; \u{627}\u{644}";
    let here = format!("<tr><td>{job}<td>running ");
    assert!(
        eventually(|| site.get("/").body.contains(&here)),
        "{}",
        site.get("/").body
    );
    let answer = site.get("/");
    assert_eq!(answer.status, 200);
    for told in [
        "http-equiv=refresh",
        "color-scheme:light dark",
        "width=device-width",
        "<meter ",
        "weight ",
    ] {
        assert!(answer.body.contains(told), "{told}: {}", answer.body);
    }
    for header in [
        "Content-Security-Policy: default-src 'none'",
        "nosniff",
        "no-store",
    ] {
        assert!(answer.head.contains(header), "{}", answer.head);
    }
    assert!(!answer.body.contains("<script"), "{}", answer.body);
    scene.let_end();
    scene.await_end(job);
    let over = "<td class=y>success";
    assert!(
        eventually(|| site.get("/").body.contains(over)),
        "{}",
        site.get("/").body
    );
    assert!(site.get("/").body.contains(shown));
}

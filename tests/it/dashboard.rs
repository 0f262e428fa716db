//! `GET /`: the page comes whole from the manager, and its policy lets nothing else in.

use std::collections::BTreeSet;

use http::Method;
use kit::Answer;

use crate::world::World;

/// What stands in the page's `src` and `href` attributes.
fn references(page: &str) -> BTreeSet<&str> {
    let attributes = ["src=\"", "href=\""];
    let values = attributes.iter().flat_map(|attribute| page.split(attribute).skip(1));
    values.map(|rest| rest.split('"').next().unwrap()).collect()
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

fn is_guarded(answer: &Answer, media: &str) {
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some(media));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let policy = answer.header("content-security-policy").unwrap();
    let directives: BTreeSet<_> = policy.split(';').map(str::trim).collect();
    for directive in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ] {
        assert!(directives.contains(directive), "{directive} is not in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[tokio::test]
async fn the_page_and_all_it_refers_to_come_from_the_manager() {
    let world = World::start().await;
    let page = world.baton.fetch("/").await;
    is_guarded(&page, "text/html; charset=utf-8");
    let parts = references(text(&page));
    let parts: Vec<_> = parts.iter().filter(|to| !to.starts_with("data:image/")).collect();
    assert_eq!(parts, [&"dashboard.css", &"dashboard.js"]);
    for (part, media) in
        parts.iter().zip(["text/css; charset=utf-8", "text/javascript; charset=utf-8"])
    {
        let answer = world.baton.fetch(&format!("/{part}")).await;
        is_guarded(&answer, media);
        assert!(!text(&answer).contains("://"), "{part} names another place");
    }
}

#[tokio::test]
async fn the_page_has_no_script_or_style_that_its_policy_would_refuse() {
    let world = World::start().await;
    let page = world.baton.fetch("/").await;
    let page = text(&page);
    for refused in ["<style", "style=", "<script>", " onclick=", " onload=", "javascript:"] {
        assert!(!page.contains(refused), "{refused}");
    }
    let script = world.baton.fetch("/dashboard.js").await;
    for refused in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
        assert!(!text(&script).contains(refused), "{refused}");
    }
}

#[tokio::test]
async fn every_path_that_the_page_calls_is_a_route() {
    let world = World::start().await;
    let script = world.baton.fetch("/dashboard.js").await;
    // The script has them all in one table: `name: "METHOD /path"`, with `{id}` for what it fills in.
    let script = text(&script);
    let (_, rest) = script.split_once("const CALLS = {").unwrap();
    let (table, _) = rest.split_once("};").unwrap();
    let calls: Vec<_> = table.split('"').skip(1).step_by(2).collect();
    assert!(calls.len() >= 8, "{calls:?}");
    for call in calls {
        let (method, path) = call.split_once(' ').unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let path = path.replace("{id}", "act_p0_00000000000000000000000001");
        let answer = world.baton.send(method, &path, &[], bytes::Bytes::new()).await;
        if answer.status >= 400 {
            let code = answer.refusal().problem.code;
            assert!(code != "route_not_found" && code != "method_not_allowed", "{call}: {code}");
        }
    }
}

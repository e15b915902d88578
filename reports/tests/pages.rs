//! The page: skeleton, well-formedness, escaping, self-containment.

use bitmosaic_reports::*;
use page::{Token, assert_balanced, attribute, tokens};

mod page;
mod sample;

fn sample_page() -> String {
    run_page(&sample::run(), &sample::details())
}

#[test]
fn skeleton() {
    let mut lines = Vec::new();
    let tokens = tokens(&sample_page());
    let mut rows = 0;
    for (i, token) in tokens.iter().enumerate() {
        let text = match tokens.get(i + 1) {
            Some(Token::Text(text)) => text.trim(),
            _ => "",
        };
        match token {
            Token::Open { name, .. } => match &name[..] {
                "h1" => lines.push(format!("# {text}")),
                "h2" => lines.push(format!("## {text}")),
                "a" => lines.push(format!("link {} {text}", attribute(token, "href").unwrap())),
                "caption" => lines.push(format!("  table: {text}")),
                "th" if attribute(token, "scope") == Some("col") => lines.push(format!("    column: {text}")),
                "figcaption" => lines.push(format!("  figure: {text}")),
                "strong" => lines.push(format!("  statement: {text}")),
                "dt" => lines.push(format!("  number: {text}")),
                "p" | "li" if !text.is_empty() => lines.push(format!("  {name}: {text}")),
                "code" => lines.push(format!("  code: {text}")),
                "tr" => rows += 1,
                _ => {}
            },
            Token::Close(name) if name == "table" => lines.push(format!("    {} rows", std::mem::take(&mut rows))),
            _ => {}
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn well_formed_with_targets_for_every_link() {
    let html = sample_page();
    let tokens = tokens(&html);
    assert_balanced(&tokens);
    let ids: Vec<&str> = tokens.iter().filter_map(|t| attribute(t, "id")).collect();
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), ids.len());
    for target in tokens.iter().filter_map(|t| attribute(t, "href")) {
        assert!(ids.contains(&target.strip_prefix('#').expect("links stay on the page")), "{target}");
    }
    let levels: Vec<&str> = tokens
        .iter()
        .filter_map(|t| match t {
            Token::Open { name, .. } if matches!(&name[..], "h1" | "h2" | "h3") => Some(&name[..]),
            _ => None,
        })
        .collect();
    assert_eq!(levels.iter().filter(|l| **l == "h1").count(), 1);
    assert!(levels.starts_with(&["h1", "h2"]) && !levels.contains(&"h3"));
}

#[test]
fn needs_nothing_else() {
    let html = sample_page();
    let without = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "").replace("http-equiv", "");
    for reference in ["http", "url(", "@import", "src=", "<script", "<link", "<img", "javascript:", "//"] {
        assert!(!without.contains(reference), "{reference}");
    }
    assert!(html.contains("@media (prefers-color-scheme: dark)") && html.contains("@media print"));
}

#[test]
fn hostile_text_stays_text() {
    let document = sample::hostile(1e-3, 1_000_000);
    let details = RunDetails { command: sample::HOSTILE.into(), notes: vec![sample::HOSTILE.into()] };
    let html = run_page(&document, &details);
    let tokens = tokens(&html);
    assert_balanced(&tokens);
    let named = |n: &str| tokens.iter().any(|t| matches!(t, Token::Open { name, .. } if name == n));
    assert!(!named("script"));
    assert!(tokens.iter().filter_map(|t| attribute(t, "id")).all(|id| id.is_ascii()));
    assert!(html.contains("&lt;/style&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;amp;&quot;\\u{1b}[2J"));
    assert!(!html.contains('\u{202e}'));
}

#[test]
fn says_what_is_not_there() {
    let html = sample_page();
    assert!(html.contains("not modelled by this design"));
    assert!(html.contains("was not run in Verilator or Icarus Verilog here"));
    let empty = run_page(&sample::run(), &RunDetails::default());
    assert!(empty.contains("No command line was recorded"));
}

#[test]
fn failures_are_loud() {
    let mut document = sample::run();
    document.cosim = sample::differing();
    std::mem::swap(&mut document.error.datapath, &mut document.error.fp16_yardstick);
    let html = run_page(&document, &sample::details());
    assert_eq!(html.matches("<span class=\"word\">FAIL</span>").count(), 2);
    assert!(!html.contains("<span class=\"word\">pass</span>"));
    for shown in ["bits differ: 3, cycles differ: 1", "replay-17-3.json", "acc_q", "0x3c06 @ 1204", "no such beat"] {
        assert!(html.contains(shown), "{shown}");
    }
}

//! A strict little reader of the pages: what it accepts, every browser and every XML tool does.
#![allow(dead_code)] // every test binary uses some of it

/// A piece of a document.
#[derive(Debug, PartialEq)]
pub enum Token {
    Open { name: String, attributes: Vec<(String, String)>, closed: bool },
    Close(String),
    Text(String),
}

/// Tokens of a document without doctype; panics with the place where it is not well formed.
pub fn tokens(document: &str) -> Vec<Token> {
    let mut rest = document.strip_prefix("<!DOCTYPE html>").unwrap_or(document);
    let mut tokens = Vec::new();
    while !rest.is_empty() {
        if let Some(tag) = rest.strip_prefix('<') {
            let end = tag.find('>').unwrap_or_else(|| panic!("tag does not end: {tag:.80}"));
            tokens.push(tag_token(&tag[..end]));
            rest = &tag[end + 1..];
        } else {
            let end = rest.find('<').unwrap_or(rest.len());
            let text = &rest[..end];
            let style = matches!(tokens.last(), Some(Token::Open { name, .. }) if name == "style");
            assert!(!text.contains('>') || style, "bare > in {text}");
            assert_entities(text);
            tokens.push(Token::Text(text.into()));
            rest = &rest[end..];
        }
    }
    tokens
}

fn tag_token(tag: &str) -> Token {
    if let Some(name) = tag.strip_prefix('/') {
        return Token::Close(name.into());
    }
    let closed = tag.ends_with('/');
    let tag = tag.trim_end_matches('/');
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    assert!(name.chars().all(|c| c.is_ascii_alphanumeric()) && !name.is_empty(), "element name in <{tag}>");
    let mut attributes: Vec<(String, String)> = Vec::new();
    while !rest.trim_start().is_empty() {
        let (key, after) = rest.trim_start().split_once("=\"").unwrap_or_else(|| panic!("attribute in <{tag}>"));
        let (value, after) = after.split_once('"').unwrap_or_else(|| panic!("quote in <{tag}>"));
        assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "attribute name {key} in <{tag}>");
        assert!(!attributes.iter().any(|(k, _)| k == key), "attribute {key} twice in <{tag}>");
        assert_entities(value);
        attributes.push((key.into(), value.into()));
        rest = after;
    }
    Token::Open { name: name.into(), attributes, closed }
}

fn assert_entities(text: &str) {
    for part in text.split('&').skip(1) {
        let name = part.split(';').next().unwrap_or_default();
        assert!(["amp", "lt", "gt", "quot", "apos", "#39"].contains(&name), "entity &{name} in {text:.80}");
    }
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "control character in {text:?}");
}

/// Panics unless every element is closed in order; `meta` is void.
pub fn assert_balanced(tokens: &[Token]) {
    let mut open: Vec<&str> = Vec::new();
    for token in tokens {
        match token {
            Token::Open { name, closed: false, .. } if name != "meta" => open.push(name),
            Token::Open { .. } | Token::Text(_) => {}
            Token::Close(name) => assert_eq!(open.pop(), Some(&name[..]), "elements close in order"),
        }
    }
    assert!(open.is_empty(), "open at the end: {open:?}");
}

/// Value of an attribute.
pub fn attribute<'a>(token: &'a Token, key: &str) -> Option<&'a str> {
    match token {
        Token::Open { attributes, .. } => attributes.iter().find(|(k, _)| k == key).map(|(_, v)| &v[..]),
        _ => None,
    }
}

/// Box of a text of a plot: left, top, right, bottom in pixels, and the text.
pub type TextBox = ([f64; 4], String);

/// Width and height of a plot and the boxes of its texts, widths estimated generously.
pub fn text_boxes(svg: &str) -> (f64, f64, Vec<TextBox>) {
    let tokens = tokens(svg);
    let number = |t: &Token, key: &str| attribute(t, key).and_then(|v| v.parse::<f64>().ok()).expect("number");
    let mut boxes = Vec::new();
    for pair in tokens.windows(2) {
        if let [open @ Token::Open { name, .. }, Token::Text(text)] = pair
            && name == "text"
        {
            let text = text.trim().replace("&lt;", "<").replace("&gt;", ">").replace("&apos;", "'");
            let (x, y) = (number(open, "x"), number(open, "y"));
            let width = text.chars().count() as f64 * number(open, "font-size") * 0.56;
            let left = match attribute(open, "text-anchor") {
                Some("end") => x - width,
                Some("middle") => x - width / 2.0,
                _ => x,
            };
            boxes.push(([left, y - 7.0, left + width, y + 7.0], text));
        }
    }
    (number(&tokens[0], "width"), number(&tokens[0], "height"), boxes)
}

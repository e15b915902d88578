//! One HTML file that needs nothing else: no scripts, no fonts, no network; light and dark, screen and paper.

use std::fmt::Write as _;

use crate::plot::Svg;
use crate::table::Table;
use crate::{ReportsError, escape};

/// A page: title, a line under it, sections. All text in it is escaped when rendered.
#[derive(Debug)]
pub struct Page {
    /// Title and first heading.
    pub title: String,
    /// A line under the title.
    pub subtitle: String,
    /// Sections; each is in the navigation.
    pub sections: Vec<Section>,
}

/// A section.
#[derive(Debug)]
pub struct Section {
    /// Anchor, unique on the page.
    pub id: &'static str,
    /// Heading.
    pub heading: &'static str,
    /// Contents in order.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug)]
pub enum Block {
    /// Running text.
    Paragraph(String),
    /// A statement set apart: what is the case, and a line about it.
    Statement(Tone, String, String),
    /// A few numbers to see first: label and value.
    Figures(Vec<(&'static str, String)>),
    /// Items of a list.
    List(Vec<String>),
    /// A table.
    Table(Table),
    /// A plot with its caption; one that could not be drawn says why.
    Plot(&'static str, Result<Svg, ReportsError>),
    /// Something to type, or a file's lines.
    Code(String),
}

/// What a statement means; a word says it too, not colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A check passed.
    Pass,
    /// A check failed.
    Fail,
    /// Nothing was checked, or something needs attention.
    Caution,
}

const STYLE: &str = include_str!("page.css");

impl Page {
    /// The file's contents.
    pub fn html(&self) -> String {
        let title = escape(&self.title);
        let mut html = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        // Nothing is loaded and nothing runs, whatever a name in the result looks like.
        html.push_str(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n",
        );
        let _ = writeln!(html, "<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>");
        let _ = writeln!(html, "<header>\n<h1>{title}</h1>\n<p>{}</p>\n</header>", escape(&self.subtitle));
        html.push_str("<nav aria-label=\"Sections\">\n<ul>\n");
        for section in &self.sections {
            let _ = writeln!(html, "<li><a href=\"#{}\">{}</a></li>", escape(section.id), escape(section.heading));
        }
        html.push_str("</ul>\n</nav>\n<main>\n");
        for section in &self.sections {
            let (id, heading) = (escape(section.id), escape(section.heading));
            let _ = writeln!(html, "<section id=\"{id}\" aria-labelledby=\"{id}-heading\">");
            let _ = writeln!(html, "<h2 id=\"{id}-heading\">{heading}</h2>");
            section.blocks.iter().for_each(|block| block.html(&mut html));
            html.push_str("</section>\n");
        }
        html.push_str("</main>\n</body>\n</html>\n");
        html
    }
}

impl Block {
    fn html(&self, html: &mut String) {
        let _ = match self {
            Block::Paragraph(text) => writeln!(html, "<p>{}</p>", escape(text)),
            Block::Statement(tone, what, about) => {
                let (class, word) = tone.class_and_word();
                let (what, about) = (escape(what), escape(about));
                write!(html, "<div class=\"statement {class}\"><p><span class=\"word\">{word}</span> ")
                    .and_then(|()| writeln!(html, "<strong>{what}</strong></p><p>{about}</p></div>"))
            }
            Block::Figures(figures) => {
                html.push_str("<dl class=\"figures\">\n");
                for (label, value) in figures {
                    let _ = writeln!(html, "<div><dt>{}</dt><dd>{}</dd></div>", escape(label), escape(value));
                }
                writeln!(html, "</dl>")
            }
            Block::List(items) => {
                html.push_str("<ul>\n");
                for item in items {
                    let _ = writeln!(html, "<li>{}</li>", escape(item));
                }
                writeln!(html, "</ul>")
            }
            Block::Table(table) => write!(html, "{}", table.html()),
            Block::Plot(caption, Ok(svg)) => {
                let caption = escape(caption);
                writeln!(html, "<figure class=\"plot\">\n{}", svg.as_str())
                    .and_then(|()| writeln!(html, "<figcaption>{caption}</figcaption>\n</figure>"))
            }
            Block::Plot(caption, Err(error)) => {
                writeln!(html, "<p>{}: {}</p>", escape(caption), escape(&error.to_string()))
            }
            Block::Code(text) => writeln!(html, "<pre><code>{}</code></pre>", escape_lines(text)),
        };
    }
}

impl Tone {
    fn class_and_word(self) -> (&'static str, &'static str) {
        match self {
            Tone::Pass => ("pass", "pass"),
            Tone::Fail => ("fail", "FAIL"),
            Tone::Caution => ("caution", "note"),
        }
    }
}

/// As [`escape`], line breaks kept.
fn escape_lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

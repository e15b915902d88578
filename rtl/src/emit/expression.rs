//! Verilog expressions.
//!
//! Every expression has the width of its net when it stands alone, and operands of exactly the
//! width they are combined at: extensions are written out. So no operator is ever widened by
//! its context, and since nothing is declared `signed`, none changes its signedness either.
//! The two operators that need a sign take it by `$signed`, and the two whose value depends on
//! where they stand (`>>>`, and `*`, which takes its width from the assignment) are only written
//! alone, as the right-hand side of an assignment of the width of their result.

use super::plan::Plan;
use super::table::Table;
use crate::netlist::wiring::{self, Piece};
use crate::netlist::{NetId, Op};

/// Longest expression that is written in place, in characters.
const IN_PLACE: usize = 60;
/// Longest line of joined parts, in characters.
const LINE: usize = 84;

/// How an expression binds, tightest first.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Binding {
    /// A name, literal, part select, concatenation.
    Atom,
    /// `~` or `-`.
    Prefix,
    /// A reduction, put in parentheses beside anything: `a | |b` is hard to read.
    Reduction,
    /// An infix operator, which may be chained with itself if it is `&`, `|` or `^`.
    Infix(&'static str),
    /// `? :`.
    Choice,
    /// Only right of an assignment of its own width.
    Alone,
}

/// An expression of the width of its net.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) binding: Binding,
}

impl Text {
    fn new(text: String, binding: Binding) -> Text {
        Text { text, binding }
    }

    /// As an operand of a prefix operator or where only names bind tightly enough.
    fn tight(&self) -> String {
        match self.binding {
            Binding::Atom => self.text.clone(),
            _ => format!("({})", self.text),
        }
    }

    /// As an operand of an infix operator.
    fn beside(&self, operator: &'static str) -> String {
        let chained = matches!(operator, "&" | "|" | "^") && self.binding == Binding::Infix(operator);
        match self.binding {
            Binding::Atom | Binding::Prefix => self.text.clone(),
            _ if chained => self.text.clone(),
            _ => format!("({})", self.text),
        }
    }
}

/// Expressions of one module; those written in place are kept until they are used.
pub(super) struct Expressions<'a> {
    plan: &'a Plan<'a>,
    in_place: Vec<Option<Text>>,
}

impl<'a> Expressions<'a> {
    pub(super) fn new(plan: &'a Plan<'a>) -> Self {
        Expressions { plan, in_place: vec![None; plan.module.nets.len()] }
    }

    /// Decides whether the expression of a generated net is written where it is used, and
    /// keeps it if so. Expressions of several bits are only placed right of an assignment.
    pub(super) fn place(&mut self, net: NetId, text: &Text) -> bool {
        let plan = self.plan;
        let short = text.text.len() <= IN_PLACE && !text.text.contains('\n');
        let simple = short && plan.width[net.index()] == 1 && text.binding != Binding::Alone;
        let placed = plan.used_once(net) && (simple || plan.assigned[net.index()]);
        if placed {
            self.in_place[net.index()] = Some(text.clone());
        }
        placed
    }

    /// The value of any net, as it stands right of an assignment or in a connection.
    pub(super) fn value(&self, net: NetId) -> Text {
        self.join(&wiring::whole(self.plan, net))
    }

    /// The expression of a declared net, as wide as the plan says.
    pub(super) fn expression(&self, net: NetId) -> Text {
        let plan = self.plan;
        let Some(op) = plan.op(net) else {
            return Text::new(plan.module.nets[net.index()].name.clone(), Binding::Atom);
        };
        let operands = plan.operands(net);
        let text: Vec<Text> = operands.iter().map(|pieces| self.join(pieces)).collect();
        let infix = |operator: &'static str| {
            let (a, b) = (text[0].beside(operator), text[1].beside(operator));
            Text::new(format!("{a} {operator} {b}"), Binding::Infix(operator))
        };
        let signed = |operator: &'static str, binding| {
            let (a, b) = (&text[0].text, &text[1].text);
            Text::new(format!("$signed({a}) {operator} $signed({b})"), binding)
        };
        let prefix = |operator: &str, binding| Text::new(format!("{operator}{}", text[0].tight()), binding);
        let reduction = |operator: &str| match operands[0][..] {
            [piece] if piece.width() == 1 => text[0].clone(),
            _ => prefix(operator, Binding::Reduction),
        };
        let is_signed = |a: NetId| plan.module.shape(a).signed;
        match op {
            Op::Not(_) => prefix("~", Binding::Prefix),
            Op::Negate(_) => prefix("-", Binding::Prefix),
            Op::ReduceOr(_) => reduction("|"),
            Op::ReduceAnd(_) => reduction("&"),
            Op::ReduceXor(_) => reduction("^"),
            Op::And(..) => infix("&"),
            Op::Or(..) => infix("|"),
            Op::Xor(..) => infix("^"),
            Op::Add(..) => infix("+"),
            Op::Sub(..) => infix("-"),
            Op::Mul(a, _) if is_signed(*a) => signed("*", Binding::Alone),
            Op::Mul(..) => Text { binding: Binding::Alone, ..infix("*") },
            Op::Eq(..) => infix("=="),
            Op::Ne(..) => infix("!="),
            Op::Lt(a, _) if is_signed(*a) => signed("<", Binding::Infix("<")),
            Op::Lt(..) => infix("<"),
            Op::Mux { .. } => choice(&text[0], &text[1], &text[2].text),
            Op::Select { index, .. } => match Table::of(plan, net) {
                Some(table) => {
                    let place = plan.tables.iter().position(|t| *t == table).unwrap_or(0);
                    Text::new(format!("{}({})", Table::name(place), text[0].text), Binding::Atom)
                }
                None => self.tree(*index, &text[1..]),
            },
            Op::ShiftLeft { .. } => infix("<<"),
            Op::ShiftRight { a, .. } if is_signed(*a) => {
                let (a, amount) = (&text[0].text, text[1].beside(">>>"));
                Text::new(format!("$signed({a}) >>> {amount}"), Binding::Alone)
            }
            Op::ShiftRight { .. } => infix(">>"),
            _ => text.into_iter().next().unwrap_or(Text::new(String::new(), Binding::Atom)),
        }
    }

    /// A balanced tree of choices on the bits of the index.
    fn tree(&self, index: NetId, choices: &[Text]) -> Text {
        let Some(last) = choices.last() else {
            return Text::new(String::new(), Binding::Atom);
        };
        let bits = (choices.len() as u64).next_power_of_two().trailing_zeros();
        let index_width = self.plan.module.shape(index).width;
        if bits == index_width || choices.len() == 1 {
            return self.subtree(index, bits, 0, choices, 4);
        }
        let body = self.subtree(index, bits, 0, choices, 8);
        let above = self.join(&wiring::bits(self.plan, index, bits, index_width - bits));
        let beyond = match index_width - bits {
            1 => above,
            _ => Text::new(format!("|{}", above.tight()), Binding::Reduction),
        };
        let (beyond, last, body) = (beyond.beside("?"), last.beside("?"), body.beside("?"));
        let text = match beyond.len() + last.len() + body.len() <= LINE && !body.contains('\n') {
            true => format!("{beyond} ? {last} : {body}"),
            false => format!("{beyond}\n        ? {last}\n        : {body}"),
        };
        Text::new(text, Binding::Choice)
    }

    fn subtree(&self, index: NetId, bits: u32, first: usize, choices: &[Text], indent: usize) -> Text {
        let Some(choice_text) = choices.get(first) else {
            return choices[choices.len() - 1].clone();
        };
        if bits == 0 || first + 1 == choices.len() {
            return choice_text.clone();
        }
        let bit = self.join(&wiring::bits(self.plan, index, bits - 1, 1));
        let half = 1usize << (bits - 1);
        let low = self.subtree(index, bits - 1, first, choices, indent + 4);
        if first + half >= choices.len() {
            // Both halves end in the last choice; the upper half is nothing but it.
            let last = &choices[choices.len() - 1];
            return choice(&bit, last, &low.beside("?"));
        }
        let high = self.subtree(index, bits - 1, first + half, choices, indent + 4);
        let short = bit.text.len() + high.text.len() + low.text.len() + indent <= LINE;
        if bits <= 2 && short && !low.text.contains('\n') && !high.text.contains('\n') {
            return choice(&bit, &high, &low.beside("?"));
        }
        let pad = " ".repeat(indent + 4);
        let (bit, high, low) = (bit.beside("?"), high.beside("?"), low.beside("?"));
        let text = format!("{bit}\n{pad}? {high}\n{pad}: {low}");
        Text::new(text, Binding::Choice)
    }

    /// Pieces joined to one expression.
    pub(super) fn join(&self, pieces: &[Piece]) -> Text {
        if let [piece] = pieces {
            return self.piece(*piece);
        }
        let parts: Vec<String> = pieces.iter().rev().map(|&p| self.piece(p).text).collect();
        let line = format!("{{{}}}", parts.join(", "));
        if line.len() <= LINE {
            return Text::new(line, Binding::Atom);
        }
        let mut text = String::from("{");
        let mut column = LINE;
        for (i, part) in parts.iter().enumerate() {
            let comma = if i + 1 == parts.len() { "" } else { "," };
            if column + part.len() + 2 > LINE {
                text.push_str("\n        ");
                column = 8;
            } else {
                text.push(' ');
            }
            text.push_str(part);
            text.push_str(comma);
            column += part.len() + 2;
        }
        text.push_str("\n    }");
        Text::new(text, Binding::Atom)
    }

    fn piece(&self, piece: Piece) -> Text {
        let width = |net: NetId| self.plan.width[net.index()];
        let name = |net: NetId| &self.plan.module.nets[net.index()].name;
        match piece {
            Piece::Constant { value, width } => Text::new(literal(value, width), Binding::Atom),
            Piece::Net { net, low: 0, width: w } if w == width(net) => match &self.in_place[net.index()] {
                Some(text) => text.clone(),
                None => Text::new(name(net).clone(), Binding::Atom),
            },
            Piece::Net { net, low, width: 1 } => Text::new(format!("{}[{low}]", name(net)), Binding::Atom),
            Piece::Net { net, low, width } => {
                let text = format!("{}[{}:{low}]", name(net), low + width - 1);
                Text::new(text, Binding::Atom)
            }
            Piece::Repeat { net, bit, count } => {
                let bit = self.piece(Piece::Net { net, low: bit, width: 1 });
                Text::new(format!("{{{count}{{{}}}}}", bit.text), Binding::Atom)
            }
        }
    }
}

fn choice(select: &Text, when_true: &Text, when_false: &str) -> Text {
    let (select, when_true) = (select.beside("?"), when_true.beside("?"));
    Text::new(format!("{select} ? {when_true} : {when_false}"), Binding::Choice)
}

/// A sized literal: binary for a bit, decimal where it is short, hexadecimal otherwise.
pub(super) fn literal(value: u64, width: u32) -> String {
    match (width, value) {
        (1, _) => format!("1'b{value}"),
        (_, 0..=4095) => format!("{width}'d{value}"),
        _ => format!("{width}'h{value:x}"),
    }
}

/// `[7:0] ` for 8 bits, nothing for one.
pub(super) fn range(width: u32) -> String {
    match width {
        1 => String::new(),
        _ => format!("[{}:0] ", width - 1),
    }
}

//! Identifiers: what Verilog and the tools that read it accept.

use super::error::Problem;

/// The clock of every module with state.
pub const CLOCK: &str = "clk_i";
/// The synchronous reset, active high, of every module with reset state.
pub const RESET: &str = "rst_i";
/// Collects the bits that nothing reads; linters know the idiom.
pub(crate) const UNUSED: &str = "_unused_ok";
/// Begins the names of the functions that hold tables.
pub(crate) const TABLE: &str = "_table_";

/// Keywords of Verilog-2005 and SystemVerilog-2017, sorted. Tools read `.v` as SystemVerilog.
#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "accept_on", "alias", "always", "always_comb", "always_ff", "always_latch", "and", "assert",
    "assign", "assume", "automatic", "before", "begin", "bind", "bins", "binsof", "bit", "break",
    "buf", "bufif0", "bufif1", "byte", "case", "casex", "casez", "cell", "chandle", "checker",
    "class", "clocking", "cmos", "config", "const", "constraint", "context", "continue", "cover",
    "covergroup", "coverpoint", "cross", "deassign", "default", "defparam", "design", "disable",
    "dist", "do", "edge", "else", "end", "endcase", "endchecker", "endclass", "endclocking",
    "endconfig", "endfunction", "endgenerate", "endgroup", "endinterface", "endmodule",
    "endpackage", "endprimitive", "endprogram", "endproperty", "endsequence", "endspecify",
    "endtable", "endtask", "enum", "event", "eventually", "expect", "export", "extends", "extern",
    "final", "first_match", "for", "force", "foreach", "forever", "fork", "forkjoin", "function",
    "generate", "genvar", "global", "highz0", "highz1", "if", "iff", "ifnone", "ignore_bins",
    "illegal_bins", "implements", "implies", "import", "incdir", "include", "initial", "inout",
    "input", "inside", "instance", "int", "integer", "interconnect", "interface", "intersect",
    "join", "join_any", "join_none", "large", "let", "liblist", "library", "local", "localparam",
    "logic", "longint", "macromodule", "matches", "medium", "modport", "module", "nand", "negedge",
    "nettype", "new", "nexttime", "nmos", "nor", "noshowcancelled", "not", "notif0", "notif1",
    "null", "or", "output", "package", "packed", "parameter", "pmos", "posedge", "primitive",
    "priority", "program", "property", "protected", "pull0", "pull1", "pulldown", "pullup",
    "pulsestyle_ondetect", "pulsestyle_onevent", "pure", "rand", "randc", "randcase",
    "randsequence", "rcmos", "real", "realtime", "ref", "reg", "reject_on", "release", "repeat",
    "restrict", "return", "rnmos", "rpmos", "rtran", "rtranif0", "rtranif1", "s_always",
    "s_eventually", "s_nexttime", "s_until", "s_until_with", "scalared", "sequence", "shortint",
    "shortreal", "showcancelled", "signed", "small", "soft", "solve", "specify", "specparam",
    "static", "string", "strong", "strong0", "strong1", "struct", "super", "supply0", "supply1",
    "sync_accept_on", "sync_reject_on", "table", "tagged", "task", "this", "throughout", "time",
    "timeprecision", "timeunit", "tran", "tranif0", "tranif1", "tri", "tri0", "tri1", "triand",
    "trior", "trireg", "type", "typedef", "union", "unique", "unique0", "unsigned", "until",
    "until_with", "untyped", "use", "uwire", "var", "vectored", "virtual", "void", "wait",
    "wait_order", "wand", "weak", "weak0", "weak1", "while", "wildcard", "wire", "with", "within",
    "wor", "xnor", "xor",
];

/// Checks that a name can be declared: an identifier, no keyword, no name the netlist makes itself.
pub(super) fn check(name: &str) -> Result<(), Problem> {
    let owned = || name.to_string();
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(Problem::BadIdentifier { name: owned() });
    }
    if RESERVED.binary_search(&name).is_ok() {
        return Err(Problem::ReservedWord { name: owned() });
    }
    match name {
        CLOCK | RESET | UNUSED => Err(Problem::OwnName { name: owned() }),
        _ if name.starts_with(TABLE) => Err(Problem::OwnName { name: owned() }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted_for_the_search() {
        assert!(RESERVED.is_sorted());
    }

    #[test]
    fn names_that_a_tool_would_reject_are_refused() {
        let word = |name: &str| name.to_string();
        for name in ["", "8x", "a-b", "a.b", "ä", "a b", "$display"] {
            assert_eq!(check(name), Err(Problem::BadIdentifier { name: word(name) }));
        }
        for name in ["reg", "logic", "xnor", "accept_on", "uwire"] {
            assert_eq!(check(name), Err(Problem::ReservedWord { name: word(name) }));
        }
        for name in ["clk_i", "_table_7"] {
            assert_eq!(check(name), Err(Problem::OwnName { name: word(name) }));
        }
        assert_eq!(check("_a9_q"), Ok(()));
    }
}

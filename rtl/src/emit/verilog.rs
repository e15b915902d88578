//! The Verilog-2005 writer.

use std::fmt::Write;

use super::expression::{Expressions, literal, range};
use super::plan::Plan;
use crate::netlist::{CLOCK, Design, Driver, Module, NetId, RESET, RamShape, Register, UNUSED};

/// Longest line with a comment behind it, in characters.
const LINE: usize = 100;

/// The files of a design as `(file name, text)`: memory templates first, then the modules,
/// leaves first. Each file holds the one module it is named after.
pub fn verilog_files(design: &Design) -> Vec<(String, String)> {
    let modules = design.modules_in_order().iter();
    let modules = modules.map(|m| (format!("{}.v", m.name), module_text(m)));
    ram_files(design).into_iter().chain(modules).collect()
}

/// The files of the memory templates of a design, one a size.
pub(crate) fn ram_files(design: &Design) -> Vec<(String, String)> {
    let rams = design.ram_counts().into_iter();
    rams.map(|(shape, _)| (format!("{}.v", shape.module_name()), ram_text(shape))).collect()
}

/// The text of one module; empty for a module that does not pass `Module::check`.
pub fn module_text(module: &Module) -> String {
    let Some(plan) = Plan::new(module) else { return String::new() };
    let mut writer = Writer { module, plan: &plan, text: String::new() };
    writer.write();
    writer.text
}

fn begin(doc: &str) -> String {
    let mut text = String::new();
    for line in doc.lines() {
        text.push_str(format!("// {line}").trim_end());
        text.push('\n');
    }
    text.push_str("`default_nettype none\n\n");
    text
}

const END: &str = "\nendmodule\n\n`default_nettype wire\n";

fn ram_text(shape: RamShape) -> String {
    let RamShape { depth, width } = shape;
    let doc = format!(
        "Memory of {depth} words of {width} bits, one write and one read port.\n\
         The read data follows the edge with read_en_i and holds until the next one. Reading a\n\
         word at the edge that writes it is not defined: its users avoid it."
    );
    let ports = [
        ("input", "wire", 1, CLOCK, "clock"),
        ("input", "wire", 1, "write_en_i", "writes at this edge"),
        ("input", "wire", shape.address_bits(), "write_addr_i", "word to write"),
        ("input", "wire", width, "write_data_i", "value to write"),
        ("input", "wire", 1, "read_en_i", "reads at this edge"),
        ("input", "wire", shape.address_bits(), "read_addr_i", "word to read"),
        ("output", "reg", width, "read_data_o", "word read last"),
    ];
    let ports = ports.map(|(direction, kind, width, name, doc)| {
        (format!("{direction:<6} {kind:<4} {}", range(width)), name.to_string(), doc.to_string())
    });
    let mut text = begin(&doc);
    let _ = write!(text, "module {} (\n{});\n", shape.module_name(), declarations(&ports, ","));
    let _ = write!(
        text,
        "\n    reg {}memory [0:{}];\n\n    always @(posedge {CLOCK}) begin\n        \
         if (write_en_i) begin\n            memory[write_addr_i] <= write_data_i;\n        end\n    \
         end\n\n    always @(posedge {CLOCK}) begin\n        if (read_en_i) begin\n            \
         read_data_o <= memory[read_addr_i];\n        end\n    end\n",
        range(width),
        depth - 1
    );
    text.push_str(END);
    text
}

/// Lines of declarations as (kind, name, comment), with names and comments aligned. Ports end
/// in a comma but for the last, registers all in a semicolon.
fn declarations(items: &[(String, String, String)], end: &str) -> String {
    let head = items.iter().map(|p| p.0.len()).max().unwrap_or(0);
    let name = items.iter().map(|p| p.1.len()).max().unwrap_or(0) + 1;
    let mut text = String::new();
    for (i, (kind, item, doc)) in items.iter().enumerate() {
        let end = if end == "," && i + 1 == items.len() { "" } else { end };
        let line = format!("    {kind:<head$}{:<name$}", format!("{item}{end}"));
        text.push_str(&commented(&line, doc));
    }
    text
}

/// A line with a comment: behind it where it fits, above it otherwise.
fn commented(line: &str, doc: &str) -> String {
    let indent = " ".repeat(line.len() - line.trim_start().len());
    let doc = doc.trim();
    let short = line.trim_end();
    if doc.is_empty() {
        return format!("{short}\n");
    }
    if !doc.contains('\n') && !line.contains('\n') && line.len() + doc.len() + 4 <= LINE {
        return format!("{line} // {doc}\n");
    }
    let mut text = String::new();
    for line in doc.lines() {
        let _ = writeln!(text, "{}", format!("{indent}// {line}").trim_end());
    }
    let _ = writeln!(text, "{short}");
    text
}

struct Writer<'a> {
    module: &'a Module,
    plan: &'a Plan<'a>,
    text: String,
}

impl Writer<'_> {
    fn write(&mut self) {
        self.text = begin(&self.module.doc);
        let _ = writeln!(self.text, "module {} (\n{});", self.module.name, self.ports());
        self.declare_registers();
        self.text.push_str(&self.plan.functions());
        let mut expressions = Expressions::new(self.plan);
        self.write_nets(&mut expressions);
        self.write_registers(&expressions);
        self.write_outputs(&expressions);
        self.write_unread();
        self.text.push_str(END);
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn blank(&mut self) {
        if !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    fn name(&self, net: NetId) -> &str {
        &self.module.nets[net.index()].name
    }

    fn ports(&self) -> String {
        let module = self.module;
        let mut ports = vec![];
        let mut own = |name: &str, doc: &str| {
            ports.push(("input  wire ".to_string(), name.to_string(), doc.to_string()));
        };
        if module.is_clocked() {
            own(CLOCK, "clock");
        }
        if module.is_resettable() {
            own(RESET, "synchronous reset, active high");
        }
        let inputs = module.inputs.iter().map(|p| ("input ", p));
        let outputs = module.outputs.iter().map(|p| ("output", p));
        for (direction, port) in inputs.chain(outputs) {
            let shape = module.shape(port.net);
            let doc = match (shape.signed, port.doc.is_empty()) {
                (false, _) => port.doc.clone(),
                (true, true) => "signed".to_string(),
                (true, false) => format!("signed: {}", port.doc),
            };
            let declaration = format!("{direction} wire {}", range(shape.width));
            ports.push((declaration, port.name.clone(), doc));
        }
        declarations(&ports, ",")
    }

    fn declare(&mut self, kind: &str, net: NetId, value: &str) {
        let width = self.plan.width[net.index()];
        let line = format!("    {kind} {}{}{value};", range(width), self.name(net));
        let commented = commented(&line, &self.module.nets[net.index()].doc);
        self.text.push_str(&commented);
    }

    fn declare_all(&mut self, kind: &str, nets: impl Iterator<Item = NetId>) {
        let items = nets.map(|net| {
            let info = &self.module.nets[net.index()];
            (format!("{kind}{}", range(info.shape.width)), info.name.clone(), info.doc.clone())
        });
        self.text.push_str(&declarations(&items.collect::<Vec<_>>(), ";"));
    }

    fn declare_registers(&mut self) {
        self.blank();
        self.declare_all("reg  ", self.module.registers.iter().map(|r| r.net));
        self.blank();
    }

    /// Wires with their values, instances and memories, each after what it uses.
    fn write_nets(&mut self, expressions: &mut Expressions) {
        let module = self.module;
        let mut position = vec![0; module.nets.len()];
        for (i, net) in self.plan.order.iter().enumerate() {
            position[net.index()] = i;
        }
        let after = |nets: &mut dyn Iterator<Item = NetId>| nets.map(|n| position[n.index()]).max();
        // What is written after the net at a position.
        let mut due = vec![];
        for (i, instance) in module.instances.iter().enumerate() {
            let first = instance.outputs.iter().map(|o| position[o.net.index()]).min();
            due.push((after(&mut instance.inputs.iter().map(|p| p.1)).max(first), Due::Instance(i)));
        }
        for (i, ram) in module.rams.iter().enumerate() {
            let nets = ram.inputs().into_iter().chain([ram.read_data]);
            due.push((after(&mut nets.into_iter()), Due::Ram(i)));
        }
        due.sort_by_key(|d| d.0);
        let mut due = due.into_iter().peekable();
        let mut declared = vec![false; module.instances.len()];
        for (at, &net) in self.plan.order.iter().enumerate() {
            match self.plan.drivers[net.index()] {
                Driver::Input(_) | Driver::Register(_) => {}
                Driver::Ram(_) => {
                    self.blank();
                    self.declare("wire", net, "");
                }
                Driver::Instance(i, _) => {
                    if !std::mem::replace(&mut declared[i], true) {
                        self.blank();
                        let outputs = module.instances[i].outputs.iter().map(|o| o.net);
                        self.declare_all("wire ", outputs);
                    }
                }
                Driver::Op(_) if self.plan.width[net.index()] == 0 => {}
                Driver::Op(_) => {
                    let text = expressions.expression(net);
                    if !expressions.place(net, &text) {
                        self.declare("wire", net, &format!(" = {}", text.text));
                    }
                }
            }
            while due.peek().is_some_and(|d| d.0.is_none_or(|p| p <= at)) {
                self.write_due(due.next().map(|d| d.1), expressions);
            }
        }
        for (_, item) in due {
            self.write_due(Some(item), expressions);
        }
    }

    fn write_due(&mut self, due: Option<Due>, expressions: &Expressions) {
        let value = |net: NetId| expressions.value(net).text;
        let own = |name: &str| (name.to_string(), name.to_string());
        let mut pins = vec![];
        let (module, name) = match due {
            None => return,
            Some(Due::Instance(i)) => {
                let instance = &self.module.instances[i];
                pins.extend(instance.clocked.then(|| own(CLOCK)));
                pins.extend(instance.resettable.then(|| own(RESET)));
                pins.extend(instance.inputs.iter().map(|p| (p.0.clone(), value(p.1))));
                let outputs = instance.outputs.iter();
                pins.extend(outputs.map(|o| (o.port.clone(), self.name(o.net).to_string())));
                (instance.module.clone(), instance.name.clone())
            }
            Some(Due::Ram(i)) => {
                let ram = &self.module.rams[i];
                pins.push(own(CLOCK));
                let names = ["write_en_i", "write_addr_i", "write_data_i", "read_en_i", "read_addr_i"];
                pins.extend(names.iter().zip(ram.inputs()).map(|(n, net)| (n.to_string(), value(net))));
                pins.push(("read_data_o".to_string(), self.name(ram.read_data).to_string()));
                (ram.shape.module_name(), ram.instance_name())
            }
        };
        let width = pins.iter().map(|p| p.0.len()).max().unwrap_or(0);
        self.line(&format!("    {module} {name} ("));
        for (i, (pin, value)) in pins.iter().enumerate() {
            let value = value.replace('\n', "\n    ");
            let comma = if i + 1 == pins.len() { "" } else { "," };
            self.line(&format!("        .{pin:<width$} ({value}){comma}"));
        }
        self.line("    );\n");
    }

    /// One block for the registers with a reset, one for the others; registers of one enable
    /// stand together.
    fn write_registers(&mut self, expressions: &Expressions) {
        let registers = self.module.registers.iter();
        let (reset, data): (Vec<_>, Vec<_>) = registers.partition(|r| r.reset.is_some());
        if !reset.is_empty() {
            self.blank();
            self.line(&format!("    always @(posedge {CLOCK}) begin\n        if ({RESET}) begin"));
            for register in &reset {
                let width = self.module.shape(register.net).width;
                let value = literal(register.reset.unwrap_or(0), width);
                self.line(&format!("            {} <= {value};", self.name(register.net)));
            }
            let groups = by_enable(&reset);
            match &groups[..] {
                [(Some(enable), members)] => {
                    let enable = expressions.value(*enable).text;
                    self.line(&format!("        end else if ({enable}) begin"));
                    self.write_loads(members, 12, expressions);
                }
                groups => {
                    self.line("        end else begin");
                    self.write_groups(groups, 12, expressions);
                }
            }
            self.line("        end\n    end");
        }
        if !data.is_empty() {
            self.blank();
            self.line(&format!("    always @(posedge {CLOCK}) begin"));
            self.write_groups(&by_enable(&data), 8, expressions);
            self.line("    end");
        }
    }

    fn write_groups(&mut self, groups: &[Group], indent: usize, expressions: &Expressions) {
        let pad = " ".repeat(indent);
        for (enable, members) in groups {
            match enable {
                None => self.write_loads(members, indent, expressions),
                Some(enable) => {
                    let enable = expressions.value(*enable).text;
                    self.line(&format!("{pad}if ({enable}) begin"));
                    self.write_loads(members, indent + 4, expressions);
                    self.line(&format!("{pad}end"));
                }
            }
        }
    }

    fn write_loads(&mut self, registers: &[&Register], indent: usize, expressions: &Expressions) {
        let pad = " ".repeat(indent);
        for register in registers {
            let value = expressions.value(register.next).text;
            let value = value.replace('\n', &format!("\n{}", &pad[4..]));
            self.line(&format!("{pad}{} <= {value};", self.name(register.net)));
        }
    }

    fn write_outputs(&mut self, expressions: &Expressions) {
        self.blank();
        for port in &self.module.outputs {
            let value = expressions.value(port.net).text;
            self.line(&format!("    assign {} = {value};", port.name));
        }
    }

    /// Names the bits that nothing reads, so that a linter reports only forgotten inputs.
    fn write_unread(&mut self) {
        let mut parts = vec!["1'b0".to_string()];
        for &net in &self.plan.order {
            let input = matches!(self.plan.drivers[net.index()], Driver::Input(_));
            if input && !self.module.ignored.contains(&net) {
                continue;
            }
            let name = self.name(net);
            let width = self.plan.width[net.index()];
            parts.extend(self.plan.unread(net).into_iter().map(|(low, count)| match count {
                _ if count == width => name.to_string(),
                1 => format!("{name}[{low}]"),
                _ => format!("{name}[{}:{low}]", low + count - 1),
            }));
        }
        if parts.len() == 1 {
            return;
        }
        self.blank();
        self.line("    // Bits that nothing reads.");
        let line = format!("    wire {UNUSED} = &{{{}}};", parts.join(", "));
        match line.len() <= LINE {
            true => self.line(&line),
            false => {
                let parts = parts.join(",\n        ");
                self.line(&format!("    wire {UNUSED} = &{{\n        {parts}\n    }};"));
            }
        }
    }
}

/// What is written between the wires.
#[derive(Clone, Copy)]
enum Due {
    Instance(usize),
    Ram(usize),
}

/// Registers of one enable.
type Group<'a> = (Option<NetId>, Vec<&'a Register>);

fn by_enable<'a>(registers: &[&'a Register]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = vec![];
    for &register in registers {
        match groups.iter_mut().find(|g| g.0 == register.enable) {
            Some(group) => group.1.push(register),
            None => groups.push((register.enable, vec![register])),
        }
    }
    groups
}

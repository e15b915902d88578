//! The design under test and its stimulus.

use std::fmt::Write;

use bitmosaic_rtl::netlist::{Design, Module, ModuleBuilder, Net, address_bits};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Input widths that every module has, unsigned and signed.
const WIDTHS: [u32; 15] = [1, 2, 3, 4, 7, 8, 13, 16, 24, 31, 32, 33, 48, 63, 64];
/// Widths of inputs that are only moved.
const WIDE: [u32; 4] = [65, 100, 128, 200];
/// Corner shapes of the systematic module.
const CORNERS: [u32; 6] = [1, 2, 7, 31, 32, 64];
/// Operations of a random module.
const STEPS: usize = 160;
/// Random modules.
const MODULES: u64 = 5;

/// A top with one module of every operation in its corners, and random ones.
pub fn design(seed: u64) -> Design {
    let mut modules = vec![corners()];
    modules.extend((0..MODULES).map(|i| Random::new(&format!("random_{i}"), seed + i).finish()));
    let mut b = ModuleBuilder::new("operators", "Every operation, many widths and signs.");
    let inputs = inputs(&mut b);
    let connections: Vec<(&str, Net)> = inputs.iter().map(|(n, net)| (n.as_str(), *net)).collect();
    for module in &modules {
        let instance = b.instance(&format!("u_{}", module.name), module, &connections);
        for port in &module.outputs {
            let name = format!("{}_{}", module.name, port.name);
            b.output(&name, instance.get(&port.name), &port.doc);
        }
    }
    Design::new(b.finish().unwrap(), modules).unwrap()
}

fn inputs(b: &mut ModuleBuilder) -> Vec<(String, Net)> {
    let mut inputs = vec![];
    for width in WIDTHS.into_iter().chain(WIDE) {
        let (u, s) = (format!("u{width}_i"), format!("s{width}_i"));
        inputs.push((u.clone(), b.input(&u, width, "")));
        inputs.push((s.clone(), b.input_signed(&s, width, "")));
    }
    inputs.push(("warm_i".to_string(), b.input("warm_i", 1, "fills registers and memories")));
    inputs.push(("count_i".to_string(), b.input("count_i", 5, "counts cycles")));
    for (_, net) in &inputs {
        b.ignore(*net);
    }
    inputs
}

/// Each operation on each pair of corner widths and each signedness, on its own.
fn corners() -> Module {
    let mut b = ModuleBuilder::new("corners", "Each operation alone.");
    let inputs = inputs(&mut b);
    let narrow: Vec<Net> = inputs.iter().map(|i| i.1).filter(|n| CORNERS.contains(&n.width)).collect();
    let mut results: Vec<(String, Net)> = vec![];
    let describe = |n: Net| format!("{}{}", if n.signed { "s" } else { "u" }, n.width);
    for &x in &narrow {
        let mut put = |operation: &str, net| results.push((format!("{operation} {}", describe(x)), net));
        put("not", b.not(x));
        put("reduce_or", b.reduce_or(x));
        put("reduce_and", b.reduce_and(x));
        put("reduce_xor", b.reduce_xor(x));
        if x.width < 64 {
            put("negate", b.negate(x));
        }
        put("extend", b.extend(x, 77));
        put("truncate", b.truncate(x, x.width.div_ceil(2)));
        put("as_signed", b.as_signed(x));
        put("as_unsigned", b.as_unsigned(x));
        put("shift_left_const", b.shift_left_const(x, 7));
        let top = b.bit(x, x.width - 1);
        put("bit", top);
        put("replicate", b.replicate(top, 70));
    }
    for &x in &narrow {
        for &y in &narrow {
            let mut put = |operation: &str, net| {
                results.push((format!("{operation} {} {}", describe(x), describe(y)), net));
            };
            if !y.signed && y.width <= 32 {
                put("shift_right", b.shift_right(x, y));
                put("shift_left", b.shift_left(x, y, x.width));
                put("shift_left wider", b.shift_left(x, y, (x.width + 9).min(64)));
                put("shift_left narrower", b.shift_left(x, y, x.width.div_ceil(2)));
            }
            put("concat", b.concat(&[x, y, x]));
            if x.signed != y.signed {
                continue;
            }
            put("lt", b.lt(x, y));
            if x.width.max(y.width) < 64 {
                put("add", b.add(x, y));
                put("sub", b.sub(x, y));
            }
            if x.width + y.width <= 64 {
                put("mul", b.mul(x, y));
            }
        }
    }
    let find = |name: String| inputs.iter().find(|i| i.0 == name).map(|i| i.1).unwrap();
    for width in CORNERS {
        for sign in ["u", "s"] {
            let x = find(format!("{sign}{width}_i"));
            // A second operand of the same shape that is sometimes equal.
            let wide = find("u128_i".to_string());
            let other = b.slice(wide, 3, width);
            let other = if x.signed { b.as_signed(other) } else { other };
            let choose = find("u1_i".to_string());
            let y = b.mux(choose, x, other);
            let mut put = |operation: &str, net| {
                results.push((format!("{operation} {sign}{width}"), net));
            };
            put("mux", y);
            put("and", b.and(x, other));
            put("or", b.or(x, other));
            put("xor", b.xor(x, other));
            put("eq", b.eq(x, y));
            put("ne", b.ne(x, y));
            put("lt same", b.lt(x, y));
            for (index, count) in [(1, 1), (1, 2), (2, 3), (3, 5), (3, 8), (4, 11), (8, 6), (32, 7)] {
                let index = find(format!("u{index}_i"));
                let mut choices = vec![x, y, other];
                while choices.len() < count {
                    let n = choices.len();
                    choices.push(b.xor(choices[n - 1], choices[n - 3]));
                }
                choices.truncate(count);
                put(&format!("select {count} of {}", index.width), b.select(index, &choices));
            }
        }
    }
    // Tables: choices that are all constants, for every value of the index or nearly.
    for (index, width) in [(2, 1), (3, 3), (4, 5), (7, 8), (8, 64), (3, 64)] {
        let index = find(format!("u{index}_i"));
        for signed in [false, true] {
            let entry = |i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - width);
            let entries: Vec<Net> = (0..1 << index.width)
                .map(|i| {
                    let entry = b.constant(entry(i), width);
                    if signed { b.as_signed(entry) } else { entry }
                })
                .collect();
            let short = b.select(index, &entries[..entries.len() - 1]);
            results.push((format!("short table of {width} bits"), short));
            let table = b.select(index, &entries);
            results.push((format!("table of {width} bits"), table));
            results.push((format!("part of a table of {width} bits"), b.slice(table, width / 3, width.div_ceil(2))));
            results.push((format!("extended table of {width} bits"), b.extend(table, width + 5)));
        }
    }
    // A signed shift of one bit inside an unsigned expression and inside a join: its context must
    // not make it a logical shift.
    let (bit, amount) = (find("s1_i".to_string()), find("u2_i".to_string()));
    let other = find("u1_i".to_string());
    let other = b.as_signed(other);
    let shifted = b.shift_right(bit, amount);
    results.push(("and of shift_right s1".to_string(), b.and(shifted, other)));
    let shifted = b.shift_right(bit, amount);
    results.push(("concat of shift_right s1".to_string(), b.concat(&[shifted, other])));
    for (i, (operation, net)) in results.into_iter().enumerate() {
        b.output(&format!("o{i}"), net, &operation);
    }
    b.finish().unwrap()
}

/// A random network of operations and state.
struct Random {
    b: ModuleBuilder,
    pool: Vec<Net>,
    results: Vec<(String, Net)>,
    warm: Net,
    count: Net,
    random: ChaCha8Rng,
    names: u32,
}

impl Random {
    fn new(name: &str, seed: u64) -> Random {
        let mut b = ModuleBuilder::new(name, "A random network.");
        let inputs = inputs(&mut b);
        let mut pool: Vec<Net> = inputs.iter().map(|i| i.1).collect();
        let count = pool.pop().unwrap();
        let warm = pool.pop().unwrap();
        let random = ChaCha8Rng::seed_from_u64(seed);
        Random { b, pool, results: vec![], warm, count, random, names: 0 }
    }

    fn finish(mut self) -> Module {
        for _ in 0..STEPS {
            let (operation, net) = self.step();
            let net = match self.below(8) {
                0 => {
                    self.names += 1;
                    self.b.name(net, &format!("value_{}", self.names), "a named value")
                }
                _ => net,
            };
            self.pool.push(net);
            match self.below(4) {
                0 | 1 => self.results.push((operation, net)),
                2 => {
                    let part = self.part(net);
                    self.results.push((format!("part of {operation}"), part));
                }
                _ => {}
            }
        }
        for (i, (operation, net)) in self.results.into_iter().enumerate() {
            self.b.output(&format!("o{i}"), net, &operation);
        }
        self.b.finish().unwrap()
    }

    fn below(&mut self, n: u32) -> u32 {
        (self.random.next_u64() % u64::from(n)) as u32
    }

    /// Any net, later ones more often.
    fn any(&mut self) -> Net {
        let count = self.pool.len() as u32;
        let recent = count.min(24);
        let index = match self.below(2) {
            0 => self.below(count),
            _ => count - 1 - self.below(recent),
        };
        self.pool[index as usize]
    }

    /// Low or inner bits.
    fn part(&mut self, net: Net) -> Net {
        let width = 1 + self.below(net.width);
        match self.below(2) {
            0 => self.b.truncate(net, width),
            _ => {
                let low = self.below(net.width - width + 1);
                self.b.slice(net, low, width)
            }
        }
    }

    /// A net of the given shape made from any net, or a constant.
    fn shaped(&mut self, width: u32, signed: bool) -> Net {
        if self.below(12) == 0 {
            let value = self.random.next_u64();
            let constant = self.b.constant(value, 64);
            return self.fit(constant, width, signed);
        }
        let net = self.any();
        self.fit(net, width, signed)
    }

    fn fit(&mut self, net: Net, width: u32, signed: bool) -> Net {
        let net = match (net.width > width, self.below(3)) {
            (true, 0) => {
                let low = self.below(net.width - width + 1);
                self.b.slice(net, low, width)
            }
            (true, _) => self.b.truncate(net, width),
            (false, _) => self.b.extend(net, width),
        };
        if signed { self.b.as_signed(net) } else { self.b.as_unsigned(net) }
    }

    fn narrow(&mut self, most: u32) -> Net {
        let net = self.any();
        let width = match net.width <= most {
            true => net.width,
            false => 1 + self.below(most),
        };
        let signed = net.signed;
        self.fit(net, width, signed)
    }

    fn step(&mut self) -> (String, Net) {
        let kind = self.below(30);
        let x = self.narrow(64);
        let y = self.shaped(x.width, x.signed);
        let (operation, net) = match kind {
            0 => ("not", self.b.not(x)),
            1 => ("and", self.b.and(x, y)),
            2 => ("or", self.b.or(x, y)),
            3 => ("xor", self.b.xor(x, y)),
            4 => ("reduce_or", self.b.reduce_or(x)),
            5 => ("reduce_and", self.b.reduce_and(x)),
            6 => ("reduce_xor", self.b.reduce_xor(x)),
            7..=9 => {
                let x = self.narrow(63);
                let width = 1 + self.below(63);
                let y = self.shaped(width, x.signed);
                match kind {
                    7 => ("add", self.b.add(x, y)),
                    8 => ("sub", self.b.sub(x, y)),
                    _ => ("negate", self.b.negate(x)),
                }
            }
            10 | 11 => {
                let x = self.narrow(48);
                let width = 1 + self.below(64 - x.width);
                let y = self.shaped(width, x.signed);
                ("mul", self.b.mul(x, y))
            }
            12 => ("eq", self.b.eq(x, y)),
            13 => ("ne", self.b.ne(x, y)),
            14 => {
                let x = self.any();
                let x = self.part(x);
                let x = self.fit(x, x.width.min(64), x.signed);
                let y = self.any();
                let y = self.fit(y, y.width.min(64), x.signed);
                ("lt", self.b.lt(x, y))
            }
            15 | 16 => {
                let select = self.shaped(1, false);
                ("mux", self.b.mux(select, x, y))
            }
            17 => {
                let width = 1 + self.below(5);
                let index = self.shaped(width, false);
                let is_table = self.below(3) == 0;
                let count = if is_table { 1 << width } else { 1 + self.below(1 << width) };
                let choice = |this: &mut Self| {
                    if !is_table {
                        return this.shaped(x.width, x.signed);
                    }
                    let value = this.random.next_u64();
                    let constant = this.b.constant(value, 64);
                    this.fit(constant, x.width, x.signed)
                };
                let choices: Vec<Net> = (0..count).map(|_| choice(self)).collect();
                ("select", self.b.select(index, &choices))
            }
            18 | 19 => {
                let width = 1 + self.below(10);
                let amount = self.shaped(width, false);
                let width = 1 + self.below(64);
                match kind {
                    18 => ("shift_left", self.b.shift_left(x, amount, width)),
                    _ => ("shift_right", self.b.shift_right(x, amount)),
                }
            }
            20 => {
                let net = self.any();
                ("part", self.part(net))
            }
            21 | 22 => {
                let count = 1 + self.below(6);
                let parts: Vec<Net> = (0..count).map(|_| self.any()).collect();
                ("concat", self.joined(&parts))
            }
            23 => {
                let bit = self.shaped(1, false);
                let count = 1 + self.below(90);
                ("replicate", self.b.replicate(bit, count))
            }
            24 => {
                let net = self.any();
                let width = net.width + self.below(40);
                ("extend", self.b.extend(net, width))
            }
            25 => {
                let net = self.any();
                let signed = if net.signed { self.b.as_unsigned(net) } else { self.b.as_signed(net) };
                ("reinterpret", signed)
            }
            26 => {
                let amount = self.below(20);
                ("shift_left_const", self.b.shift_left_const(x, amount))
            }
            27 | 28 => ("register", self.register()),
            _ => ("ram", self.ram()),
        };
        (operation.to_string(), net)
    }

    fn joined(&mut self, parts: &[Net]) -> Net {
        let joined = self.b.concat(parts);
        self.b.truncate(joined, joined.width.min(300))
    }

    /// A register of any width: plain, with enable, with reset, or an accumulator.
    fn register(&mut self) -> Net {
        self.names += 1;
        let name = format!("state_{}_q", self.names);
        let random = self.shaped(1, false);
        let enable = self.b.or(random, self.warm);
        let enable = (self.below(3) > 0).then_some(enable);
        let next = match self.below(3) {
            0 => {
                let parts: Vec<Net> = (0..4).map(|_| self.any()).collect();
                self.joined(&parts)
            }
            _ => self.any(),
        };
        let value = self.random.next_u64() & if next.width < 64 { (1 << next.width) - 1 } else { u64::MAX };
        match self.below(3) {
            0 => self.b.reg(&name, next, enable, None, "data register"),
            1 => self.b.reg(&name, next, enable, Some(value), "control register"),
            _ => {
                let (width, signed) = (next.width.min(63), next.signed);
                let next = self.fit(next, width, signed);
                let state = self.b.register(&name, width, signed, "accumulator");
                let sum = self.b.add(state, next);
                let sum = self.b.truncate(sum, width);
                let value = value & ((1 << width) - 1);
                self.b.drive(state, sum, enable, Some(value));
                state
            }
        }
    }

    /// A memory that is filled while `warm_i` is high and never read where it is written.
    fn ram(&mut self) -> Net {
        self.names += 1;
        let depth = [2, 3, 4, 5, 16, 17][self.below(6) as usize];
        let bits = address_bits(depth);
        let data = self.any();
        let data = self.b.as_unsigned(data);
        let random = self.shaped(1, false);
        let write_enable = self.b.or(random, self.warm);
        let write_address = self.shaped(bits, false);
        let count = self.b.slice(self.count, 0, bits);
        let write_address = self.b.mux(self.warm, count, write_address);
        let write_address = self.clamped(write_address, depth);
        let read_address = self.shaped(bits, false);
        let read_address = self.clamped(read_address, depth);
        // While warm, the word before the one written: known after the first round.
        let one = self.b.constant(1, bits);
        let before = self.b.xor(write_address, one);
        let before = self.clamped(before, depth);
        let read_address = self.b.mux(self.warm, before, read_address);
        let random = self.shaped(1, false);
        let read_enable = self.b.or(random, self.warm);
        let same = self.b.eq(read_address, write_address);
        let collision = self.b.and(same, write_enable);
        let safe = self.b.not(collision);
        let read_enable = self.b.and(read_enable, safe);
        let name = format!("memory_{}", self.names);
        self.b.ram(&name, depth, data.width, write_enable, write_address, data, read_enable, read_address, "a memory")
    }

    fn clamped(&mut self, address: Net, depth: u32) -> Net {
        if depth.is_power_of_two() {
            return address;
        }
        let last = self.b.constant(u64::from(depth - 1), address.width);
        let inside = self.b.lt(address, last);
        self.b.mux(inside, address, last)
    }
}

/// A value of `width` bits in hexadecimal, all digits.
pub fn hex(words: &[u64], width: u32) -> String {
    let digits = width.div_ceil(4) as usize;
    let text: String = words.iter().rev().map(|word| format!("{word:016x}")).collect();
    text[text.len() - digits..].to_string()
}

/// Values of all inputs for every cycle.
pub struct Stimulus {
    ports: Vec<(String, u32)>,
    cycles: Vec<Vec<Vec<u64>>>,
}

impl Stimulus {
    /// Random and corner values. `rst_i` and `warm_i` are high for the first `warm_up` cycles,
    /// `rst_i` now and then later.
    pub fn new(top: &Module, cycles: usize, warm_up: usize, seed: u64) -> Stimulus {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut ports: Vec<(String, u32)> =
            top.inputs.iter().map(|p| (p.name.clone(), top.shape(p.net).width)).collect();
        ports.push(("rst_i".to_string(), 1));
        let cycles = (0..cycles).map(|cycle| {
            let values = ports.iter().map(|(name, width)| match name.as_str() {
                "warm_i" => vec![u64::from(cycle < warm_up)],
                "rst_i" => vec![u64::from(cycle < warm_up || random.next_u64().is_multiple_of(50))],
                "count_i" => vec![cycle as u64 % 32],
                _ => value(&mut random, *width),
            });
            values.collect()
        });
        let cycles = cycles.collect();
        Stimulus { ports, cycles }
    }

    /// Values of one cycle by port.
    pub fn inputs(&self, cycle: usize) -> impl Iterator<Item = (&str, &[u64])> {
        let names = self.ports.iter().map(|p| p.0.as_str());
        names.zip(self.cycles[cycle].iter().map(Vec::as_slice))
    }

    /// Contents of `stimulus.hex`: a line a cycle, all ports joined, the last port on top.
    /// Every port takes whole hexadecimal digits.
    pub fn hex(&self) -> String {
        let mut text = String::new();
        for values in &self.cycles {
            for ((_, width), value) in self.ports.iter().zip(values).rev() {
                text.push_str(&hex(value, *width));
            }
            text.push('\n');
        }
        text
    }

    /// A test bench that writes the outputs of every cycle after `warm_up` to `trace.txt`.
    pub fn testbench(&self, top: &Module, warm_up: usize) -> String {
        let total: u32 = self.ports.iter().map(|p| 4 * p.1.div_ceil(4)).sum();
        let cycles = self.cycles.len();
        let mut text = String::from("module tb (input wire clk);\n");
        let _ = writeln!(text, "    reg [{}:0] stimulus [0:{}];", total - 1, cycles - 1);
        let _ = writeln!(text, "    integer cycle;\n    integer file;");
        let _ = writeln!(text, "    wire [{}:0] now = stimulus[cycle];", total - 1);
        for port in &top.outputs {
            let width = top.shape(port.net).width;
            let _ = writeln!(text, "    wire [{}:0] {};", width - 1, port.name);
        }
        let mut pins = vec![".clk_i(clk)".to_string()];
        let mut low = 0;
        for (name, width) in &self.ports {
            pins.push(format!(".{name}(now[{low} +: {width}])"));
            low += 4 * width.div_ceil(4);
        }
        pins.extend(top.outputs.iter().map(|p| format!(".{0}({0})", p.name)));
        let _ = writeln!(text, "    {} u_dut (\n        {}\n    );", top.name, pins.join(",\n        "));
        let _ = writeln!(
            text,
            "    initial begin\n        $readmemh(\"stimulus.hex\", stimulus);\n        cycle = 0;\n        \
             file = $fopen(\"trace.txt\", \"w\");\n    end\n    always @(posedge clk) begin\n        \
             if (cycle >= {warm_up}) begin"
        );
        for (i, port) in top.outputs.iter().enumerate() {
            let space = if i == 0 { "" } else { " " };
            let _ = writeln!(text, "            $fwrite(file, \"{space}%h\", {});", port.name);
        }
        let _ = writeln!(
            text,
            "            $fwrite(file, \"\\n\");\n        end\n        if (cycle == {}) begin\n            \
             $fclose(file);\n            $finish;\n        end\n        cycle <= cycle + 1;\n    end\n\
             endmodule",
            cycles - 1
        );
        text
    }
}

/// Random bits, or a corner: zero, one, all ones, only the top bit, all but the top bit.
fn value(random: &mut ChaCha8Rng, width: u32) -> Vec<u64> {
    let limbs = width.div_ceil(64);
    let top = width - 1;
    let kind = random.next_u64() % 10;
    let bit = |bit: u32| move |limb: u32| if bit / 64 == limb { 1u64 << (bit % 64) } else { 0 };
    let ones = |limb: u32| match width - 64 * limb {
        bits @ 0..=63 => (1u64 << bits) - 1,
        _ => u64::MAX,
    };
    let words = (0..limbs).map(|limb| match kind {
        0 => 0,
        1 => bit(0)(limb),
        2 => ones(limb),
        3 => bit(top)(limb),
        4 => ones(limb) & !bit(top)(limb),
        _ => random.next_u64() & ones(limb),
    });
    words.collect()
}

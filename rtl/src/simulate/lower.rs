//! Instructions to Cranelift's: a function takes the words and computes some of them.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlags, Value, types::I64};
use cranelift_frontend::FunctionBuilder;

use super::edge::Group;
use super::plan::{Block, Plan, Source};
use super::run::{Code, Field, Operands};

/// Longest choice made by comparisons.
const LONGEST_COMPARED: u32 = 8;

/// Fewest registers that are worth a branch where they do not load.
const LEAST_BRANCHED: usize = 4;

/// What all functions share.
pub(super) struct Lowering<'a> {
    pub(super) source: &'a Source<'a>,
    /// Instructions whose result goes to memory.
    stored: Vec<bool>,
    /// For each entry of the program's tables that begins one: its place in memory.
    tables: Vec<Option<Table>>,
    /// Words behind the program's: the tables.
    pub(super) appended: Vec<u64>,
}

#[derive(Clone, Copy)]
enum Table {
    /// Choices, in words from here on.
    Constants(u32),
    /// Byte offsets of the choices, in words from here on.
    Offsets(u32),
}

impl<'a> Lowering<'a> {
    /// `words` is the number of words of the program.
    pub(super) fn new(source: &'a Source<'a>, plan: &Plan, words: usize) -> Lowering<'a> {
        let mut lowering = Lowering {
            source,
            stored: vec![false; source.codes.len()],
            tables: vec![None; source.program.tables.len()],
            appended: vec![],
        };
        let mut store = |place: u32| {
            if let Some(index) = source.instruction(place) {
                lowering.stored[index] = true;
            }
        };
        source.outputs.iter().for_each(|&place| store(place));
        for (enable, places) in source.needs() {
            enable.into_iter().chain(places).for_each(&mut store);
        }
        // A value used in another function, or in another guarded block than its own.
        let mut homes = vec![(0, None); source.codes.len()];
        let functions = || plan.settle.iter().chain(&plan.edge).enumerate();
        let blocks =
            || functions().flat_map(|(f, blocks)| blocks.iter().enumerate().map(move |(b, block)| (f, b, block)));
        let home = |f: usize, b: usize, block: &Block| (f, block.enable.map(|_| b));
        for (f, b, block) in blocks() {
            block.instructions.iter().for_each(|&index| homes[index] = home(f, b, block));
        }
        for (f, b, block) in blocks() {
            let own = home(f, b, block);
            let reads = block.instructions.iter().flat_map(|&index| source.reads(index)).chain(block.enable);
            for read in reads.filter_map(|place| source.instruction(place)) {
                lowering.stored[read] |= homes[read] != own && homes[read] != (f, None);
            }
        }
        for index in 0..source.codes.len() {
            if source.codes[index] == Code::Select {
                lowering.table(source.program.operands[index], words);
            }
        }
        lowering
    }

    /// Gives the table of a choice a place, where it needs one.
    fn table(&mut self, Operands { b, c, .. }: Operands, words: usize) {
        if self.tables[b as usize].is_some() {
            return;
        }
        let choices = &self.source.program.tables[b as usize..=c as usize];
        let at = (words + self.appended.len()) as u32;
        let constants: Option<Vec<u64>> = choices.iter().map(|c| self.source.constants.get(c).copied()).collect();
        match constants {
            Some(constants) => {
                self.tables[b as usize] = Some(Table::Constants(at));
                self.appended.extend(constants);
            }
            None if choices.len() as u32 > LONGEST_COMPARED => {
                self.tables[b as usize] = Some(Table::Offsets(at));
                self.appended.extend(choices.iter().map(|&place| u64::from(place) * 8));
                for index in choices.iter().filter_map(|&place| self.source.instruction(place)) {
                    self.stored[index] = true;
                }
            }
            None => {}
        }
    }

    /// Writes a function that computes blocks.
    pub(super) fn compute(&self, builder: FunctionBuilder, blocks: &[Block]) {
        let mut writer = Writer::new(self, builder);
        for block in blocks {
            match block.enable {
                None => block.instructions.iter().for_each(|&index| writer.instruction(index)),
                Some(enable) => {
                    let enable = writer.word(enable);
                    writer.when(enable, |writer| {
                        block.instructions.iter().for_each(|&index| writer.instruction(index));
                    });
                }
            }
        }
        writer.finish();
    }

    /// Writes a function that loads registers, outside reset: parts of groups.
    pub(super) fn load(&self, builder: FunctionBuilder, parts: &[(&Group, std::ops::Range<usize>)]) {
        let mut writer = Writer::new(self, builder);
        for (group, range) in parts {
            let loads = &group.loads[range.clone()];
            let Some(enable) = group.enable else {
                loads.iter().for_each(|&(from, to)| writer.move_word(from, to));
                continue;
            };
            let enable = writer.word(enable);
            if loads.len() >= LEAST_BRANCHED {
                writer.when(enable, |writer| loads.iter().for_each(|&(from, to)| writer.move_word(from, to)));
                continue;
            }
            for &(from, to) in loads {
                let (new, old) = (writer.load(from), writer.load(to));
                let kept = writer.builder.ins().select(enable, new, old);
                writer.store(kept, to);
            }
        }
        writer.finish();
    }
}

/// A function being written.
struct Writer<'a, 'f> {
    lowering: &'a Lowering<'a>,
    builder: FunctionBuilder<'f>,
    base: Value,
    /// Values known, by place, with the guarded block they are known in (0: everywhere).
    values: Vec<Option<(u32, Value)>>,
    /// Number of the guarded block that is being written; 0 outside.
    block: u32,
    blocks: u32,
}

impl<'a, 'f> Writer<'a, 'f> {
    fn new(lowering: &'a Lowering<'a>, mut builder: FunctionBuilder<'f>) -> Writer<'a, 'f> {
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        builder.seal_block(entry);
        let base = builder.block_params(entry)[0];
        let places = lowering.source.first() as usize + lowering.source.codes.len();
        Writer { lowering, builder, base, values: vec![None; places], block: 0, blocks: 0 }
    }

    fn finish(mut self) {
        self.builder.ins().return_(&[]);
        self.builder.finalize();
    }

    /// Writes what happens only where `enable` is not 0.
    fn when(&mut self, enable: Value, write: impl FnOnce(&mut Self)) {
        let (then, rest) = (self.builder.create_block(), self.builder.create_block());
        self.builder.ins().brif(enable, then, &[], rest, &[]);
        self.builder.switch_to_block(then);
        self.builder.seal_block(then);
        self.blocks += 1;
        self.block = self.blocks;
        write(self);
        self.block = 0;
        self.builder.ins().jump(rest, &[]);
        self.builder.switch_to_block(rest);
        self.builder.seal_block(rest);
    }

    fn load(&mut self, place: u32) -> Value {
        self.builder.ins().load(I64, MemFlags::trusted(), self.base, place as i32 * 8)
    }

    fn store(&mut self, value: Value, place: u32) {
        self.builder.ins().store(MemFlags::trusted(), value, self.base, place as i32 * 8);
    }

    fn move_word(&mut self, from: u32, to: u32) {
        let value = self.load(from);
        self.store(value, to);
    }

    fn number(&mut self, value: u64) -> Value {
        self.builder.ins().iconst(I64, value as i64)
    }

    /// The value of a place.
    fn word(&mut self, place: u32) -> Value {
        if let Some(&value) = self.lowering.source.constants.get(&place) {
            return self.number(value);
        }
        match self.values[place as usize] {
            Some((block, value)) if block == 0 || block == self.block => value,
            _ => {
                let value = self.load(place);
                self.values[place as usize] = Some((self.block, value));
                value
            }
        }
    }

    fn instruction(&mut self, index: usize) {
        let source = self.lowering.source;
        let place = source.first() + index as u32;
        let value = self.value(source.codes[index], source.program.operands[index]);
        self.values[place as usize] = Some((self.block, value));
        if self.lowering.stored[index] {
            self.store(value, place);
        }
    }

    /// As `Program::run` does it.
    fn value(&mut self, code: Code, Operands { a, b, c }: Operands) -> Value {
        let x = self.word(a);
        let compare = |writer: &mut Self, condition| {
            let y = writer.word(b);
            let bit = writer.builder.ins().icmp(condition, x, y);
            writer.builder.ins().uextend(I64, bit)
        };
        macro_rules! two {
            ($op:ident) => {{
                let y = self.word(b);
                self.builder.ins().$op(x, y)
            }};
        }
        match code {
            Code::Copy => x,
            Code::Add => two!(iadd),
            Code::Sub => two!(isub),
            Code::Mul => two!(imul),
            Code::And => two!(band),
            Code::Or => two!(bor),
            Code::Xor => two!(bxor),
            Code::Eq => compare(self, IntCC::Equal),
            Code::Ne => compare(self, IntCC::NotEqual),
            Code::LtUnsigned => compare(self, IntCC::UnsignedLessThan),
            Code::LtSigned => compare(self, IntCC::SignedLessThan),
            Code::Parity => {
                let moved = self.builder.ins().ishl_imm(x, i64::from(c & 63));
                let ones = self.builder.ins().popcnt(moved);
                self.builder.ins().band_imm(ones, 1)
            }
            Code::Mux => {
                let (when_true, when_false) = (self.word(b), self.word(c));
                self.builder.ins().select(x, when_true, when_false)
            }
            Code::Select => self.select(x, b, c),
            Code::ShlUnsigned | Code::ShlSigned => {
                let y = self.word(b);
                let moved = self.builder.ins().ishl(x, y);
                let (zero, short) = (self.number(0), self.short(y));
                let moved = self.builder.ins().select(short, moved, zero);
                match code {
                    Code::ShlUnsigned => self.low(moved, 64 - (c & 63)),
                    _ => self.signed(moved, c & 63, c & 63),
                }
            }
            Code::ShrUnsigned => {
                let y = self.word(b);
                let moved = self.builder.ins().ushr(x, y);
                let (zero, short) = (self.number(0), self.short(y));
                self.builder.ins().select(short, moved, zero)
            }
            Code::ShrSigned => {
                let y = self.word(b);
                let most = self.number(63);
                let amount = self.builder.ins().umin(y, most);
                self.builder.ins().sshr(x, amount)
            }
            Code::Field => self.field(x, Field(c)),
            Code::FieldSigned => self.signed(x, Field(c).up(), Field(c).down()),
            Code::Deposit => {
                let (y, field) = (self.word(b), Field(c));
                // Bits that the move drops need no mask.
                let top = field.at() == field.down();
                let part = match top {
                    true => self.right(y, field.down() - field.up()),
                    false => self.field(y, field),
                };
                let part = self.builder.ins().ishl_imm(part, i64::from(field.at()));
                self.builder.ins().bor(x, part)
            }
        }
    }

    /// Whether an amount is below 64.
    fn short(&mut self, amount: Value) -> Value {
        self.builder.ins().icmp_imm(IntCC::UnsignedLessThan, amount, 64)
    }

    fn right(&mut self, x: Value, amount: u32) -> Value {
        match amount {
            0 => x,
            _ => self.builder.ins().ushr_imm(x, i64::from(amount)),
        }
    }

    fn low(&mut self, x: Value, width: u32) -> Value {
        match width {
            64 => x,
            _ => self.builder.ins().band_imm(x, crate::netlist::low_mask(width) as i64),
        }
    }

    fn field(&mut self, x: Value, field: Field) -> Value {
        let moved = self.right(x, field.down() - field.up());
        match field.up() {
            0 => moved,
            _ => self.low(moved, 64 - field.down()),
        }
    }

    fn signed(&mut self, x: Value, up: u32, down: u32) -> Value {
        let moved = match up {
            0 => x,
            _ => self.builder.ins().ishl_imm(x, i64::from(up)),
        };
        self.builder.ins().sshr_imm(moved, i64::from(down))
    }

    fn select(&mut self, index: Value, first: u32, last: u32) -> Value {
        let table = self.lowering.tables[first as usize];
        let Some(table) = table else {
            let mut value = self.word(self.lowering.source.program.tables[last as usize]);
            for at in (first..last).rev() {
                let choice = self.word(self.lowering.source.program.tables[at as usize]);
                let this = self.builder.ins().icmp_imm(IntCC::Equal, index, i64::from(at - first));
                value = self.builder.ins().select(this, choice, value);
            }
            return value;
        };
        let most = self.number(u64::from(last - first));
        let index = self.builder.ins().umin(index, most);
        let offset = self.builder.ins().ishl_imm(index, 3);
        let entry = self.builder.ins().iadd(self.base, offset);
        match table {
            Table::Constants(at) => self.builder.ins().load(I64, MemFlags::trusted(), entry, at as i32 * 8),
            Table::Offsets(at) => {
                let offset = self.builder.ins().load(I64, MemFlags::trusted(), entry, at as i32 * 8);
                let choice = self.builder.ins().iadd(self.base, offset);
                self.builder.ins().load(I64, MemFlags::trusted(), choice, 0)
            }
        }
    }
}

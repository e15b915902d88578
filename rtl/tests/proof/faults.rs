//! Designs with one thing changed, whose proofs must fail.

use bitmosaic_rtl::netlist::{Design, Module, Op};

/// One design for each operation of the module that `change` changes.
pub fn of(design: &Design, module: &str, change: impl Fn(&Module, &Op) -> Option<Op>) -> Vec<Design> {
    let sound = design.module(module).unwrap();
    let changed = sound.ops.iter().enumerate().filter_map(|(i, operation)| Some((i, change(sound, &operation.op)?)));
    changed.map(|(i, op)| with(design, module, |m| m.ops[i].op = op.clone())).collect()
}

/// The design in which instance `to` of the top sees at `port` what instance `from` sees there.
pub fn connected(design: &Design, port: &str, from: &str, to: &str) -> Design {
    with(design, &design.top().name, |top| {
        let of = |top: &Module, name: &str| top.instances.iter().position(|i| i.name == name).unwrap();
        let (from, to) = (of(top, from), of(top, to));
        let at = top.instances[to].inputs.iter().position(|(name, _)| name == port).unwrap();
        assert_ne!(top.instances[from].inputs[at].1, top.instances[to].inputs[at].1);
        top.instances[to].inputs[at].1 = top.instances[from].inputs[at].1;
    })
}

fn with(design: &Design, module: &str, change: impl Fn(&mut Module)) -> Design {
    let mut faulty = design.clone();
    change(faulty.module_mut(module).unwrap());
    faulty.relink();
    faulty.check().unwrap();
    faulty
}

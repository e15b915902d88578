//! A design: a top module and everything below it.

use std::collections::BTreeMap;

use super::error::{NetlistError, Problem};
use super::module::{Instance, Module, RamShape};

/// A top module with all modules it needs, one per distinct parameter set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Design {
    /// Leaves first, the top last; every module follows the ones it contains.
    modules: Vec<Module>,
}

impl Design {
    /// Collects what `top` needs out of `others`; what it does not need is left out.
    ///
    /// # Errors
    /// Two different modules of one name, an instance of a module that is missing or has
    /// other ports, a module that contains itself, a name that a memory template needs.
    pub fn new(top: Module, others: Vec<Module>) -> Result<Design, NetlistError> {
        let top_name = top.name.clone();
        let mut by_name: BTreeMap<String, Module> = BTreeMap::new();
        for module in others.into_iter().chain([top]) {
            match by_name.get(&module.name) {
                Some(other) if *other != module => {
                    let problem = Problem::ConflictingModules { name: module.name.clone() };
                    return Err(NetlistError { module: top_name, problem });
                }
                _ => by_name.insert(module.name.clone(), module),
            };
        }
        let mut order = vec![];
        visit(&top_name, &by_name, &mut vec![], &mut order)?;
        let modules = order.iter().filter_map(|name| by_name.remove(name)).collect();
        let design = Design { modules };
        design.check()?;
        Ok(design)
    }

    /// The top module.
    pub fn top(&self) -> &Module {
        &self.modules[self.modules.len() - 1]
    }

    /// The module of that name.
    pub fn module(&self, name: &str) -> Option<&Module> {
        self.modules.iter().find(|m| m.name == name)
    }

    /// The module of that name, to be changed; `relink` and `check` afterwards. Its name and
    /// instances must stay as they are.
    pub fn module_mut(&mut self, name: &str) -> Option<&mut Module> {
        self.modules.iter_mut().find(|m| m.name == name)
    }

    /// After a change of operations: every instance learns anew which inputs reach which outputs within a cycle.
    pub fn relink(&mut self) {
        for position in 0..self.modules.len() {
            let (below, rest) = self.modules.split_at_mut(position);
            for instance in &mut rest[0].instances {
                let Some(of) = below.iter().find(|m| m.name == instance.module) else { continue };
                for (output, paths) in instance.outputs.iter_mut().zip(of.combinational_inputs()) {
                    output.depends_on = paths;
                }
            }
        }
    }

    /// All modules, leaves first, the top last.
    pub fn modules_in_order(&self) -> &[Module] {
        &self.modules
    }

    /// Checks every module and every instance against its module.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn check(&self) -> Result<(), NetlistError> {
        let mut paths = vec![];
        for (position, module) in self.modules.iter().enumerate() {
            module.check()?;
            paths.push(module.combinational_inputs());
            let fail = |problem| Err(NetlistError { module: module.name.clone(), problem });
            for instance in &module.instances {
                let below = &self.modules[..position];
                match below.iter().zip(&paths).find(|(m, _)| m.name == instance.module) {
                    None => {
                        return fail(Problem::UnknownModule {
                            instance: instance.name.clone(),
                            of: instance.module.clone(),
                        });
                    }
                    Some((of, paths)) => check_instance(module, instance, of, paths)?,
                }
            }
        }
        let templates: Vec<String> = self.ram_counts().iter().map(|r| r.0.module_name()).collect();
        match self.modules.iter().find(|m| templates.contains(&m.name)) {
            None => Ok(()),
            Some(module) => {
                let problem = Problem::ConflictingModules { name: module.name.clone() };
                Err(NetlistError { module: module.name.clone(), problem })
            }
        }
    }

    /// How often each module occurs in the whole design (the top once), in the order of
    /// `modules_in_order`. Memories are counted by `ram_counts`.
    pub fn instance_counts(&self) -> Vec<(String, u64)> {
        let names = self.modules.iter().map(|m| m.name.clone());
        names.zip(self.counts()).collect()
    }

    /// How often each size of memory occurs in the whole design, smallest first.
    pub fn ram_counts(&self) -> Vec<(RamShape, u64)> {
        let mut rams: BTreeMap<RamShape, u64> = BTreeMap::new();
        for (module, count) in self.modules.iter().zip(self.counts()) {
            for ram in &module.rams {
                *rams.entry(ram.shape).or_default() += count;
            }
        }
        rams.into_iter().collect()
    }

    fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0u64; self.modules.len()];
        if let Some(top) = counts.last_mut() {
            *top = 1;
        }
        for position in (0..self.modules.len()).rev() {
            for instance in &self.modules[position].instances {
                let below = self.modules[..position].iter();
                if let Some(child) = below.enumerate().find(|(_, m)| m.name == instance.module) {
                    counts[child.0] += counts[position];
                }
            }
        }
        counts
    }
}

fn visit(
    name: &str,
    modules: &BTreeMap<String, Module>,
    path: &mut Vec<String>,
    order: &mut Vec<String>,
) -> Result<(), NetlistError> {
    if order.iter().any(|n| n == name) {
        return Ok(());
    }
    let fail = |module: &str, problem| Err(NetlistError { module: module.to_string(), problem });
    if path.iter().any(|n| n == name) {
        return fail(name, Problem::Recursion { name: name.to_string() });
    }
    path.push(name.to_string());
    for instance in modules.get(name).map(|m| m.instances.as_slice()).unwrap_or_default() {
        if !modules.contains_key(&instance.module) {
            let (instance, of) = (instance.name.clone(), instance.module.clone());
            return fail(name, Problem::UnknownModule { instance, of });
        }
        visit(&instance.module, modules, path, order)?;
    }
    path.pop();
    order.push(name.to_string());
    Ok(())
}

fn check_instance(parent: &Module, instance: &Instance, of: &Module, paths: &[Vec<usize>]) -> Result<(), NetlistError> {
    let fail = |problem| Err(NetlistError { module: parent.name.clone(), problem });
    let stale = |detail| {
        let (instance, of) = (instance.name.clone(), of.name.clone());
        fail(Problem::StaleInstance { instance, of, detail })
    };
    let input_names = instance.inputs.iter().map(|p| &p.0);
    let output_names = instance.outputs.iter().map(|o| &o.port);
    if !input_names.eq(of.inputs.iter().map(|p| &p.name)) {
        return stale("other inputs");
    }
    if !output_names.eq(of.outputs.iter().map(|p| &p.name)) {
        return stale("other outputs");
    }
    if instance.clocked != of.is_clocked() || instance.resettable != of.is_resettable() {
        return stale("another need of clock or reset");
    }
    if !instance.outputs.iter().map(|o| &o.depends_on).eq(paths) {
        return stale("other combinational paths");
    }
    let inputs = instance.inputs.iter().map(|p| p.1).zip(&of.inputs);
    let outputs = instance.outputs.iter().map(|o| o.net).zip(&of.outputs);
    for (net, port) in inputs.chain(outputs) {
        let expected = of.shape(port.net);
        if parent.shape(net) != expected {
            return fail(Problem::ConnectionShape {
                instance: instance.name.clone(),
                port: port.name.clone(),
                expected,
                found: parent.operand(net),
            });
        }
    }
    Ok(())
}

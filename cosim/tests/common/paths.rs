//! Registers on the ways through a design, counted on the netlist.

use std::collections::{BTreeMap, VecDeque};

use bitmosaic_rtl::netlist::{Design, Module};

/// All nets of all instances and what drives what. Only values are followed: no enables, addresses or resets.
pub struct Paths {
    /// Every net and output port by its path below the top.
    nets: BTreeMap<String, usize>,
    /// Nets that a net drives, and the registers in between: 0, 1, or 2 through a memory (written, read).
    drives: Vec<Vec<(usize, u32)>>,
    /// Nets that drive a net.
    driven_by: Vec<Vec<usize>>,
}

/// Fewest and most registers on the ways from one net to another; no most where a way has a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registers {
    /// Fewest.
    pub least: u32,
    /// Most.
    pub most: Option<u32>,
}

impl Registers {
    /// Every way has this number.
    pub fn exactly(count: u32) -> Registers {
        Registers { least: count, most: Some(count) }
    }
}

impl Paths {
    /// Flattens a design.
    pub fn new(design: &Design) -> Paths {
        let mut paths = Paths { nets: BTreeMap::new(), drives: Vec::new(), driven_by: Vec::new() };
        paths.add(design, design.top(), "");
        paths.driven_by.resize(paths.drives.len(), Vec::new());
        for (node, edges) in paths.drives.iter().enumerate() {
            edges.iter().for_each(|(next, _)| paths.driven_by[*next].push(node));
        }
        paths
    }

    fn add(&mut self, design: &Design, module: &Module, prefix: &str) -> usize {
        let base = self.drives.len();
        self.drives.resize(base + module.nets.len(), Vec::new());
        for (i, net) in module.nets.iter().enumerate() {
            self.nets.insert(format!("{prefix}{}", net.name), base + i);
        }
        for port in &module.outputs {
            self.nets.insert(format!("{prefix}{}", port.name), base + port.net.index());
        }
        for operation in &module.ops {
            for operand in operation.op.operands() {
                self.drives[base + operand.index()].push((base + operation.result.index(), 0));
            }
        }
        for register in &module.registers {
            self.drives[base + register.next.index()].push((base + register.net.index(), 1));
        }
        for ram in &module.rams {
            self.drives[base + ram.write_data.index()].push((base + ram.read_data.index(), 2));
        }
        for instance in &module.instances {
            let child = design.module(&instance.module).unwrap();
            let child_base = self.add(design, child, &format!("{prefix}{}.", instance.name));
            for (port, (_, net)) in child.inputs.iter().zip(&instance.inputs) {
                self.drives[base + net.index()].push((child_base + port.net.index(), 0));
            }
            for (port, output) in child.outputs.iter().zip(&instance.outputs) {
                self.drives[child_base + port.net.index()].push((base + output.net.index(), 0));
            }
        }
        base
    }

    /// Registers from one net to another that is not itself, on ways that touch none of `without`; `None` if there is no way.
    pub fn registers(&self, from: &str, to: &str, without: &[String]) -> Option<Registers> {
        let net = |name: &str| *self.nets.get(name).unwrap_or_else(|| panic!("no net {name}"));
        let (from, to) = (net(from), net(to));
        let mut closed = vec![false; self.drives.len()];
        for name in without {
            closed[net(name)] = true;
        }
        // A way ends where it arrives, and does not come back to its start.
        closed[from] = true;
        let open = |node: usize| {
            let edges = self.drives[node].iter().filter(|(next, _)| !closed[*next]).copied();
            edges.filter(move |_| node != to)
        };
        let least = least(self.drives.len(), from, &open);
        let fewest = least[to]?;
        let order = postorder(self.drives.len(), from, &open);
        let mut arrives = vec![false; self.drives.len()];
        let mut stack = vec![to];
        while let Some(node) = stack.pop() {
            // Backwards, from nets that are open, to nets that the start reaches.
            if !std::mem::replace(&mut arrives[node], true) && !closed[node] {
                stack.extend(self.driven_by[node].iter().filter(|n| least[**n].is_some() && **n != to));
            }
        }
        Some(Registers { least: fewest, most: most(from, to, &order, &arrives, &open) })
    }

    /// Fewest registers of a loop through a net.
    pub fn shortest_loop(&self, through: &str) -> Option<u32> {
        let node = self.nets[through];
        let open = |n: usize| self.drives[n].iter().copied();
        let least = least(self.drives.len(), node, &open);
        let back = self.drives.iter().enumerate().flat_map(|(n, edges)| edges.iter().map(move |e| (n, e)));
        back.filter(|(_, (to, _))| *to == node).filter_map(|(n, (_, registers))| Some(least[n]? + registers)).min()
    }
}

fn least<E: Iterator<Item = (usize, u32)>>(count: usize, from: usize, open: &dyn Fn(usize) -> E) -> Vec<Option<u32>> {
    let mut least = vec![None; count];
    least[from] = Some(0);
    let mut queue = VecDeque::from([from]);
    while let Some(node) = queue.pop_front() {
        let here = least[node].unwrap_or(0);
        for (next, registers) in open(node) {
            if least[next].is_none_or(|l| here + registers < l) {
                least[next] = Some(here + registers);
                queue.push_back(next);
            }
        }
    }
    least
}

/// Nodes that `from` reaches, those furthest along a way first.
fn postorder<E: Iterator<Item = (usize, u32)>>(count: usize, from: usize, open: &dyn Fn(usize) -> E) -> Vec<usize> {
    let mut seen = vec![false; count];
    let mut order = Vec::new();
    let mut stack = vec![(from, false)];
    while let Some((node, done)) = stack.pop() {
        if done {
            order.push(node);
        } else if !std::mem::replace(&mut seen[node], true) {
            stack.push((node, true));
            stack.extend(open(node).filter(|(next, _)| !seen[*next]).map(|(next, _)| (next, false)));
        }
    }
    order
}

/// Most registers on a way, or `None` for a loop among the nodes on ways.
fn most<E: Iterator<Item = (usize, u32)>>(
    from: usize,
    to: usize,
    order: &[usize],
    arrives: &[bool],
    open: &dyn Fn(usize) -> E,
) -> Option<u32> {
    let mut most = vec![None; arrives.len()];
    most[to] = Some(0);
    for &node in order.iter().filter(|&&n| arrives[n] && n != to) {
        let mut longest = 0;
        for (next, registers) in open(node).filter(|(next, _)| arrives[*next]) {
            // In postorder only a loop leads to a node that comes later.
            longest = longest.max(most[next]? + registers);
        }
        most[node] = Some(longest);
    }
    most[from]
}

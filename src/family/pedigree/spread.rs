//! Where along its row everybody stands.

use std::collections::BTreeMap;

use super::{Block, Plan, SLOT, Tree};

fn slots(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) * f64::from(SLOT)
}

/// How often parents and children are moved towards each other.
const ROUNDS: usize = 24;

/// The middle of every node along its row.
pub(super) fn along(tree: &Tree, plan: &Plan<'_>, mut rows: Vec<Vec<Block>>) -> Vec<(usize, Vec<(usize, f64)>)> {
    for row in &mut rows {
        let mut at = 0.0;
        for block in row.iter_mut() {
            block.x = at;
            at += slots(block.nodes.len());
        }
    }
    for round in 0..ROUNDS {
        let down = round % 2 == 0;
        for step in 0..rows.len() {
            let place = if down { step } else { rows.len() - 1 - step };
            let middles = middles(&rows);
            if let Some(row) = rows.get_mut(place) {
                settle(tree, plan, row, &middles, down);
            }
        }
    }
    rows.iter().enumerate().map(|(place, row)| (place, row.iter().flat_map(members).collect())).collect()
}

fn members(block: &Block) -> Vec<(usize, f64)> {
    block.nodes.iter().enumerate().map(|(place, node)| (*node, block.x + slots(place))).collect()
}

fn middles(rows: &[Vec<Block>]) -> BTreeMap<usize, f64> {
    rows.iter().flatten().flat_map(members).collect()
}

fn mean(values: &[f64]) -> Option<f64> {
    let count = f64::from(u32::try_from(values.len()).ok()?);
    (count > 0.0).then(|| values.iter().sum::<f64>() / count)
}

/// Moves the blocks of a row to where their parents (on the way down) or their children (on the way up) want them, without overlap.
fn settle(tree: &Tree, plan: &Plan<'_>, row: &mut [Block], middles: &BTreeMap<usize, f64>, down: bool) {
    let offsets = offsets(row);
    let packed: BTreeMap<usize, f64> = row
        .iter()
        .zip(&offsets)
        .flat_map(|(block, at)| block.nodes.iter().zip(0..).map(move |(node, place)| (*node, at + slots(place))))
        .collect();
    let wanted: Vec<(f64, f64)> = row
        .iter()
        .map(|block| {
            let moves = |node: &usize| {
                if down { under_parents(tree, plan, *node, middles, &packed) } else { over_children(tree, plan, *node, middles) }
            };
            mean(&block.nodes.iter().flat_map(moves).collect::<Vec<_>>()).map_or((block.x, 0.05), |by| (block.x + by, 1.0))
        })
        .collect();
    let targets: Vec<(f64, f64)> = wanted.iter().zip(&offsets).map(|((x, weight), offset)| (x - offset, *weight)).collect();
    for ((block, at), offset) in row.iter_mut().zip(pooled(&targets)).zip(&offsets) {
        block.x = at + offset;
    }
}

/// Where each block of a row begins when all stand as close as they may; families keep a little apart.
fn offsets(row: &[Block]) -> Vec<f64> {
    let mut before = 0.0;
    let mut offsets = Vec::new();
    for (place, block) in row.iter().enumerate() {
        let is_other = place.checked_sub(1).and_then(|p| row.get(p)).is_some_and(|last| last.family != block.family);
        before += if is_other { f64::from(SLOT) / 4.0 } else { 0.0 };
        offsets.push(before);
        before += slots(block.nodes.len());
    }
    offsets
}

fn middle_of(nodes: &[usize], middles: &BTreeMap<usize, f64>) -> Option<f64> {
    mean(&nodes.iter().filter_map(|node| middles.get(node).copied()).collect::<Vec<_>>())
}

fn couple_middle(tree: &Tree, union: usize, middles: &BTreeMap<usize, f64>) -> Option<f64> {
    let (one, other) = tree.unions.get(union).map(|union| union.partners)?;
    middle_of(&[Some(one), other].into_iter().flatten().collect::<Vec<_>>(), middles)
}

/// How far a child is from its place among its siblings, when these stand close together under their parents.
fn under_parents(tree: &Tree, plan: &Plan<'_>, node: usize, middles: &BTreeMap<usize, f64>, packed: &BTreeMap<usize, f64>) -> Vec<f64> {
    let wish = || {
        let parents = *plan.child_of.get(&node)?;
        let siblings = middle_of(&tree.unions.get(parents)?.children, packed)?;
        Some(couple_middle(tree, parents, middles)? + packed.get(&node)? - siblings - middles.get(&node)?)
    };
    wish().into_iter().collect()
}

/// How far the couples of a partner are from the middle of their children.
fn over_children(tree: &Tree, plan: &Plan<'_>, node: usize, middles: &BTreeMap<usize, f64>) -> Vec<f64> {
    let wish = |union: &usize| Some(middle_of(&tree.unions.get(*union)?.children, middles)? - couple_middle(tree, *union, middles)?);
    plan.unions_of.get(&node).into_iter().flatten().filter_map(wish).collect()
}

/// The nearest values that never fall (isotonic regression): neighbours that would are pooled at their mean.
fn pooled(targets: &[(f64, f64)]) -> Vec<f64> {
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for (value, weight) in targets {
        let mut pool = (*value, *weight, 1);
        while let Some(last) = pools.pop_if(|last| last.0 > pool.0) {
            let weight = last.1 + pool.1;
            pool = ((last.0 * last.1 + pool.0 * pool.1) / weight, weight, last.2 + pool.2);
        }
        pools.push(pool);
    }
    pools.into_iter().flat_map(|(value, _, count)| std::iter::repeat_n(value, count)).collect()
}

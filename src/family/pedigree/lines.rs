//! The lines between partners, and from them to their children.

use std::collections::BTreeMap;

use super::{GAP, HALF, Layout, Line, MOST_STEPS, SLOT, STEP, Tree};

/// All lines of a layout whose symbols have their places.
pub(super) fn between(tree: &Tree, layout: &Layout, rows: &[Vec<(usize, i32)>]) -> Vec<Line> {
    let at: BTreeMap<usize, (i32, i32)> = layout.places.iter().map(|place| (place.node, (place.x, place.y))).collect();
    let mut lines = Vec::new();
    // The heights of the lines of descent of each row that are taken: how far they reach, from the left.
    let mut taken: BTreeMap<i32, Vec<(i32, i32, usize)>> = BTreeMap::new();
    let mut arches = 0;
    let mut unions: Vec<usize> = (0..tree.unions.len()).collect();
    unions.sort_by_key(|union| tree.unions.get(*union).and_then(|u| at.get(&u.partners.0)).copied());
    for union in unions.into_iter().filter_map(|union| tree.unions.get(union)) {
        let Some(one) = at.get(&union.partners.0).copied() else { continue };
        let other = union.partners.1.and_then(|partner| at.get(&partner)).copied();
        let children: Vec<(usize, i32, i32)> =
            union.children.iter().filter_map(|child| at.get(child).map(|(x, y)| (*child, *x, *y))).collect();
        let Some(top) = children.first().map(|(_, _, y)| y - HALF) else { continue };
        let (stem, from) = couple(one, other, rows, &mut arches, &mut lines);
        let (left, right) = children.iter().fold((stem, stem), |(low, high), (_, x, _)| (low.min(*x), high.max(*x)));
        let bar = top - GAP / 3 - STEP * level(taken.entry(top).or_default(), left, right);
        let mut path = format!("M{stem} {from}V{bar}");
        if left < right {
            path = format!("{path}M{left} {bar}H{right}");
        }
        lines.push(Line { path, is_adoption: false });
        for (child, x, _) in children {
            let is_adoption = tree.nodes.get(child).is_some_and(|node| node.is_adopted);
            lines.push(Line { path: format!("M{x} {bar}V{top}"), is_adoption });
        }
    }
    lines
}

/// The line between two partners; answers where the line of descent begins. One alone has none.
fn couple(one: (i32, i32), other: Option<(i32, i32)>, rows: &[Vec<(usize, i32)>], arches: &mut i32, lines: &mut Vec<Line>) -> (i32, i32) {
    let Some(other) = other else { return (one.0, one.1 + HALF) };
    let (left, right, y) = (one.0.min(other.0), one.0.max(other.0), one.1);
    let between = |row: &Vec<(usize, i32)>| row.iter().any(|(_, x)| left < *x && *x < right);
    let row = rows.iter().find(|row| row.iter().any(|(_, x)| *x == left) && row.iter().any(|(_, x)| *x == right));
    if row.is_some_and(between) {
        // Over those who stand between them.
        *arches += 1;
        let height = y - HALF - STEP - STEP / 2 * (*arches % 3);
        lines.push(Line { path: format!("M{left} {}V{height}H{right}V{}", y - HALF, y - HALF), is_adoption: false });
        return (left + SLOT / 2, height);
    }
    lines.push(Line { path: format!("M{} {y}H{}", left + HALF, right - HALF), is_adoption: false });
    (i32::midpoint(left, right), y)
}

/// The lowest height at which nothing is in the way.
fn level(taken: &mut Vec<(i32, i32, usize)>, left: i32, right: i32) -> i32 {
    let is_free = |level: &usize| !taken.iter().any(|(low, high, at)| at == level && *low <= right && left <= *high);
    let level = (0..MOST_STEPS).find(is_free).unwrap_or_default();
    taken.push((left, right, level));
    i32::try_from(level).unwrap_or_default()
}

//! Where each symbol of a pedigree stands, and the lines between them: pure, the same for the same family, and no two symbols overlap.
//!
//! Generations are rows. Within a row, the children of one couple stand together, oldest first; couples stand side by side; the father's
//! family is at the left, the mother's at the right. Places along the row follow from there: parents are moved over their children and
//! children under their parents, a few times, and each time the row is spread just as far as it must (pooling adjacent violators), so that
//! the order of the row is kept and nothing overlaps.

mod lines;
mod spread;

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{OWN, Sex, Tree};

/// The room of one symbol with its words, from middle to middle.
pub const SLOT: i32 = 144;
/// Half a symbol.
pub const HALF: i32 = 20;
/// One line of words below a symbol.
pub const LINE: i32 = 15;
/// From a symbol to the first line of words below it: room for the stroke through who is deceased.
pub const BELOW: i32 = 8;
const MARGIN: i32 = 20;
/// The generation's number stands left of the row.
const NUMERAL: i32 = 28;
/// Between the words of one row and the symbols of the next: the lines of descent.
const GAP: i32 = 52;
/// How far lines of descent of the same row keep apart.
const STEP: i32 = 6;
const MOST_STEPS: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub node: usize,
    pub x: i32,
    pub y: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub path: String,
    /// Dashed: a child who came by adoption.
    pub is_adoption: bool,
}

/// A generation: its row's middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub generation: i32,
    pub y: i32,
}

#[derive(Clone, Debug, Default)]
pub struct Layout {
    pub width: i32,
    pub height: i32,
    /// By row, then from left to right.
    pub places: Vec<Place>,
    pub lines: Vec<Line>,
    pub rows: Vec<Row>,
}

/// Symbols that stay side by side: somebody and their partners.
#[derive(Clone, Debug, Default)]
struct Block {
    nodes: Vec<usize>,
    /// The parents all of them are under, to keep families apart.
    family: Option<usize>,
    x: f64,
}

/// `words` is how many lines of text each node has below it.
pub fn draw(tree: &Tree, words: &[usize]) -> Layout {
    let plan = Plan::new(tree);
    let rows = plan.rows();
    let middles = spread::along(tree, &plan, rows);
    plan.finish(&middles, words)
}

struct Plan<'a> {
    tree: &'a Tree,
    /// Place of the ancestors of the person from left to right, the person at zero.
    ranks: BTreeMap<usize, i32>,
    /// The unions of each node as a partner, and the one it is a child of.
    unions_of: BTreeMap<usize, Vec<usize>>,
    child_of: BTreeMap<usize, usize>,
    generations: Vec<i32>,
}

impl<'a> Plan<'a> {
    fn new(tree: &'a Tree) -> Self {
        let mut unions_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut child_of = BTreeMap::new();
        for (place, union) in tree.unions.iter().enumerate() {
            for partner in [Some(union.partners.0), union.partners.1].into_iter().flatten() {
                unions_of.entry(partner).or_default().push(place);
            }
            child_of.extend(union.children.iter().map(|child| (*child, place)));
        }
        let generations: BTreeSet<i32> = tree.nodes.iter().map(|node| node.generation).collect();
        let mut plan = Self { tree, ranks: BTreeMap::new(), unions_of, child_of, generations: generations.into_iter().collect() };
        plan.rank();
        plan
    }

    /// Walks the ancestors of the person from left to right: father's side, the person, mother's side.
    fn rank(&mut self) {
        let mut order: Vec<usize> = Vec::new();
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        // Each node twice: first its father's side is put before it, then it takes its place and its mother's side follows.
        let mut waiting = vec![(OWN, false)];
        while let Some((node, is_ready)) = waiting.pop() {
            let Some(found) = self.tree.nodes.get(node) else { continue };
            if is_ready {
                order.push(node);
                waiting.extend(found.mother.map(|mother| (mother, false)));
            } else if seen.insert(node) {
                waiting.push((node, true));
                waiting.extend(found.father.map(|father| (father, false)));
            }
        }
        let middle = order.iter().position(|node| *node == OWN).unwrap_or_default();
        let rank = |place: usize| i32::try_from(place).unwrap_or(i32::MAX) - i32::try_from(middle).unwrap_or(i32::MAX);
        self.ranks = order.iter().enumerate().map(|(place, node)| (*node, rank(place))).collect();
    }

    /// Left of the person, right of them, or far right when nobody says.
    fn rank_of(&self, node: usize) -> i32 {
        use super::tree::Side;
        let by_side = || match self.tree.nodes.get(node).map(|n| n.side) {
            Some(Side::Paternal) => -10_000,
            Some(Side::Maternal) => 10_000,
            _ => 20_000,
        };
        self.ranks.get(&node).copied().unwrap_or_else(by_side)
    }

    fn partners(&self, node: usize) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        for union in self.unions_of.get(&node).into_iter().flatten().filter_map(|place| self.tree.unions.get(*place)) {
            let (one, other) = union.partners;
            for partner in [Some(one), other].into_iter().flatten().filter(|partner| *partner != node) {
                if !found.contains(&partner) {
                    found.push(partner);
                }
            }
        }
        found
    }

    fn is_root(&self, node: usize) -> bool {
        !self.child_of.contains_key(&node)
    }

    /// The blocks of each generation from left to right, top down.
    fn rows(&self) -> Vec<Vec<Block>> {
        let mut rows: Vec<Vec<Block>> = Vec::new();
        for generation in &self.generations {
            let row = self.row(*generation, rows.last());
            rows.push(row);
        }
        rows
    }

    fn row(&self, generation: i32, above: Option<&Vec<Block>>) -> Vec<Block> {
        let mut placed: BTreeSet<usize> = BTreeSet::new();
        let mut blocks: Vec<Block> = Vec::new();
        let families = self.families(above);
        let order: BTreeMap<usize, usize> = families.iter().enumerate().map(|(place, union)| (*union, place)).collect();
        for (at, family) in families.iter().enumerate() {
            for child in self.children(*family, at, &order) {
                if placed.contains(&child) {
                    continue;
                }
                let nodes = self.with_partners(child, at, &order, &mut placed);
                blocks.push(Block { nodes, family: Some(*family), x: 0.0 });
            }
        }
        let mut roots = self.roots(generation, &mut placed);
        roots.sort_by_key(|(rank, block)| (*rank, block.nodes.first().copied()));
        let (left, right): (Vec<_>, Vec<_>) = roots.into_iter().partition(|(rank, _)| *rank < 0);
        let row = left.into_iter().map(|(_, b)| b).chain(blocks).chain(right.into_iter().map(|(_, b)| b)).collect();
        self.joined(row)
    }

    /// The couples of the row above from left to right.
    fn families(&self, above: Option<&Vec<Block>>) -> Vec<usize> {
        let above: BTreeMap<usize, usize> = above.into_iter().flatten().flat_map(|b| b.nodes.iter().copied()).zip(0..).collect();
        let place = |node: usize| above.get(&node).copied();
        let mut found: Vec<(usize, usize, usize)> = Vec::new();
        for (union, couple) in self.tree.unions.iter().enumerate() {
            let one = place(couple.partners.0);
            let other = couple.partners.1.and_then(place);
            if let (Some(first), last) = (one.or(other), other.or(one)) {
                let last = last.unwrap_or(first);
                found.push((first.min(last), first.max(last), union));
            }
        }
        found.sort_unstable();
        found.into_iter().map(|(.., union)| union).collect()
    }

    /// The children of a couple: oldest first, but whoever is married into a family at the right stands last, and at the left first.
    fn children(&self, family: usize, at: usize, order: &BTreeMap<usize, usize>) -> Vec<usize> {
        let mut children = self.tree.unions.get(family).map(|union| union.children.clone()).unwrap_or_default();
        children.sort_by_key(|child| {
            let pull = self.partners(*child).into_iter().find_map(|partner| {
                let theirs = order.get(self.child_of.get(&partner)?)?;
                Some(theirs.cmp(&at) as i32)
            });
            let born = self.tree.nodes.get(*child).and_then(|node| node.birth_year).unwrap_or(i32::MAX);
            (pull.unwrap_or(0), born, *child)
        });
        children
    }

    /// Somebody with the partners who come from no family of the drawing: one at their side, further ones at the other.
    fn with_partners(&self, node: usize, at: usize, order: &BTreeMap<usize, usize>, placed: &mut BTreeSet<usize>) -> Vec<usize> {
        placed.insert(node);
        let partners = self.partners(node);
        let bound = partners.iter().find_map(|partner| Some(order.get(self.child_of.get(partner)?)?.cmp(&at)));
        let free: Vec<usize> = partners.into_iter().filter(|partner| self.is_root(*partner) && placed.insert(*partner)).collect();
        let is_woman = self.tree.nodes.get(node).is_some_and(|n| n.sex == Sex::Female);
        let mut nodes = vec![node];
        for (count, partner) in free.into_iter().enumerate() {
            let is_left = match bound {
                Some(std::cmp::Ordering::Greater) => true,
                Some(std::cmp::Ordering::Less) => false,
                _ => is_woman == (count % 2 == 0),
            };
            if is_left { nodes.insert(0, partner) } else { nodes.push(partner) }
        }
        nodes
    }

    /// Those of the row who are nobody's children here, with their partners.
    fn roots(&self, generation: i32, placed: &mut BTreeSet<usize>) -> Vec<(i32, Block)> {
        let mut found = Vec::new();
        let mut candidates: Vec<usize> = (0..self.tree.nodes.len())
            .filter(|node| self.tree.nodes.get(*node).is_some_and(|n| n.generation == generation) && self.is_root(*node))
            .collect();
        // Ancestors of the person first, so that their couples are made from the inside.
        candidates.sort_by_key(|node| (!self.ranks.contains_key(node), self.ranks.get(node).copied(), *node));
        for node in candidates {
            if placed.contains(&node) {
                continue;
            }
            let mut nodes = vec![node];
            placed.insert(node);
            let inner = self.partners(node).into_iter().find(|partner| self.ranks.contains_key(partner) && self.is_root(*partner));
            let inner = inner.filter(|partner| placed.insert(*partner));
            if let Some(partner) = inner {
                if self.rank_of(partner) < self.rank_of(node) { nodes.insert(0, partner) } else { nodes.push(partner) }
            }
            for member in nodes.clone() {
                let is_first = nodes.first() == Some(&member);
                for partner in self.partners(member) {
                    if self.is_root(partner) && placed.insert(partner) {
                        // A woman without another partner stands right of hers.
                        let alone = nodes.len() == 1;
                        let is_left = if alone { self.tree.nodes.get(partner).is_some_and(|n| n.sex == Sex::Male) } else { is_first };
                        if is_left { nodes.insert(0, partner) } else { nodes.push(partner) }
                    }
                }
            }
            let rank = nodes.iter().map(|n| self.rank_of(*n)).min_by_key(|rank| rank.abs()).unwrap_or_default();
            found.push((rank, Block { nodes, family: None, x: 0.0 }));
        }
        found
    }

    /// Couples of two families that stand next to each other become one block, so that nothing comes between them.
    fn joined(&self, row: Vec<Block>) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        for block in row {
            let fits = blocks
                .last()
                .and_then(|last| last.nodes.last())
                .zip(block.nodes.first())
                .is_some_and(|(left, right)| self.partners(*left).contains(right));
            match blocks.last_mut() {
                Some(last) if fits => last.nodes.extend(block.nodes),
                _ => blocks.push(block),
            }
        }
        blocks
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a drawing of a few thousand pixels")]
fn whole(x: f64) -> i32 {
    x.round().clamp(-1e8, 1e8) as i32
}

impl Plan<'_> {
    fn finish(&self, middles: &[(usize, Vec<(usize, f64)>)], words: &[usize]) -> Layout {
        let mut layout = Layout::default();
        let low = middles.iter().flat_map(|(_, row)| row).map(|(_, x)| *x).fold(f64::INFINITY, f64::min);
        let mut y = MARGIN + HALF + STEP * 2;
        let mut placed: Vec<Vec<(usize, i32)>> = Vec::new();
        for (place, row) in middles {
            let lines = row.iter().filter_map(|(node, _)| words.get(*node)).copied().max().unwrap_or_default();
            layout.rows.push(Row { generation: self.generations.get(*place).copied().unwrap_or_default(), y });
            let mut at: Vec<(usize, i32)> = Vec::new();
            for (node, x) in row {
                // Rounding keeps whole distances; this keeps what floating point may have lost of them.
                let least = at.last().map_or(i32::MIN, |(_, last)| last.saturating_add(SLOT));
                let x = whole(x - low).saturating_add(MARGIN + NUMERAL + SLOT / 2).max(least);
                at.push((*node, x));
                layout.places.push(Place { node: *node, x, y });
            }
            placed.push(at);
            y = y.saturating_add(HALF * 2 + BELOW + LINE * i32::try_from(lines).unwrap_or_default() + GAP);
        }
        layout.width = layout.places.iter().map(|place| place.x).max().unwrap_or_default() + SLOT / 2 + MARGIN;
        layout.height = y - GAP + MARGIN;
        layout.lines = lines::between(self.tree, &layout, &placed);
        layout
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::tree::{Relation, Side, Told, Who, build, tests::told};

    fn drawn(relatives: &[Told]) -> (Tree, Layout) {
        let tree = build(Sex::Female, Some(1985), relatives);
        let layout = draw(&tree, &vec![3; tree.nodes.len()]);
        (tree, layout)
    }

    fn x(tree: &Tree, layout: &Layout, who: Who) -> i32 {
        layout.places.iter().find(|place| tree.nodes[place.node].who == who).unwrap().x
    }

    #[test]
    fn the_fathers_family_is_left_of_the_mothers() {
        let on = |word: &str, side: Side| Told { side, ..told(word) };
        let (tree, layout) = drawn(&[
            told("mother"),
            told("father"),
            told("maternal_grandmother"),
            told("paternal_grandfather"),
            on("aunt", Side::Maternal),
            on("uncle", Side::Paternal),
            on("cousin", Side::Maternal),
            on("cousin", Side::Paternal),
        ]);
        let at = |place: usize| x(&tree, &layout, Who::Relative(place));
        assert!(at(5) < at(1) && at(1) < at(0) && at(0) < at(4));
        assert!(at(3) < at(2));
        assert!(at(7) < x(&tree, &layout, Who::Own) && x(&tree, &layout, Who::Own) < at(6));
        assert_eq!(at(0) - at(1), SLOT, "a couple stands side by side");
        assert_eq!(layout.rows.iter().map(|row| row.generation).collect::<Vec<_>>(), [-2, -1, 0]);
    }

    #[test]
    fn siblings_stand_by_age_under_their_parents() {
        let born = |word: &str, year: i32| Told { birth_year: Some(year), ..told(word) };
        let (tree, layout) = drawn(&[told("father"), told("mother"), born("brother", 1990), born("sister", 1979)]);
        let at = |place: usize| x(&tree, &layout, Who::Relative(place));
        assert!(at(3) < x(&tree, &layout, Who::Own) && x(&tree, &layout, Who::Own) < at(2));
        assert_eq!(i32::midpoint(at(0), at(1)), x(&tree, &layout, Who::Own), "three children under the middle of their parents");
    }

    #[test]
    fn one_person_alone_is_one_symbol() {
        let (_, layout) = drawn(&[]);
        assert_eq!((layout.places.len(), layout.lines.len()), (1, 0));
    }

    #[test]
    fn an_adopted_child_hangs_on_a_dashed_line() {
        let (_, layout) = drawn(&[Told { is_adopted: true, ..told("sister") }, told("brother")]);
        assert_eq!(layout.lines.iter().filter(|line| line.is_adoption).count(), 1);
    }

    const WORDS: &[&str] = &[
        "father",
        "mother",
        "brother",
        "sister",
        "half_brother",
        "half_sister",
        "paternal_grandfather",
        "paternal_grandmother",
        "maternal_grandfather",
        "maternal_grandmother",
        "uncle",
        "aunt",
        "cousin",
        "son",
        "daughter",
        "niece",
        "nephew",
        "grandson",
        "granddaughter",
        "other",
    ];

    fn relative() -> impl Strategy<Value = Told> {
        let side = prop::sample::select(vec![Side::Paternal, Side::Maternal, Side::Both, Side::Unknown]);
        let year = prop::option::of(1900..2030);
        let sex = prop::sample::select(vec![Sex::Male, Sex::Female, Sex::Unknown]);
        let links = (prop::option::of(0..30usize), prop::option::of(0..30usize));
        (prop::sample::select(WORDS), side, year, sex, any::<bool>(), links).prop_map(|(word, side, birth_year, sex, is_adopted, links)| {
            Told { relation: Relation::of(word), side, sex, birth_year, is_adopted, father: links.0, mother: links.1 }
        })
    }

    proptest! {
        #[test]
        fn no_family_makes_symbols_overlap(relatives in prop::collection::vec(relative(), 0..30)) {
            let (tree, layout) = drawn(&relatives);
            prop_assert_eq!(layout.places.len(), tree.nodes.len());
            let drawn: BTreeSet<usize> = layout.places.iter().map(|place| place.node).collect();
            prop_assert_eq!(drawn.len(), tree.nodes.len());
            let relatives_drawn = tree.nodes.iter().filter(|node| matches!(node.who, Who::Relative(_))).count();
            prop_assert_eq!(relatives_drawn + tree.loose.len(), relatives.len());
            for (i, a) in layout.places.iter().enumerate() {
                prop_assert!(a.x >= HALF && a.x + HALF <= layout.width && a.y >= HALF && a.y + HALF <= layout.height);
                for b in &layout.places[i + 1..] {
                    prop_assert!((a.y == b.y && (a.x - b.x).abs() >= SLOT) || (a.y - b.y).abs() >= 2 * HALF);
                }
            }
            let again = draw(&tree, &vec![3; tree.nodes.len()]);
            prop_assert_eq!(again.places, layout.places);
        }
    }

    #[test]
    fn five_hundred_relatives_in_a_chain_and_a_knot_are_drawn_at_once() {
        let chain: Vec<Told> = (0..500)
            .map(|place| Told {
                father: Some((place + 2) % 500),
                mother: Some((place + 3) % 500),
                ..told(if place == 0 { "father" } else { "other" })
            })
            .collect();
        let (tree, layout) = drawn(&chain);
        assert_eq!(layout.places.len(), tree.nodes.len());
    }
}

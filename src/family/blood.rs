//! Who of a family shares no genes with the person: who was adopted, and whoever is related only through somebody who was.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    risk::Degree,
    tree::{OWN, Told, Tree, Who},
};

/// For each relative: is every line to the person one that an adoption interrupts? Who is on no line of the tree is taken at their word,
/// unless the relatives they are a child of are all related by adoption.
pub fn by_adoption(tree: &Tree, relatives: &[Told]) -> Vec<bool> {
    let adopted = |node: usize| tree.nodes.get(node).is_some_and(|found| found.is_adopted);
    let (any, genetic) = (lines(tree, &|_| true), lines(tree, &|node| !adopted(node)));
    let mut found: BTreeMap<usize, bool> = BTreeMap::new();
    let mut from_above: Vec<usize> = (0..tree.nodes.len()).collect();
    from_above.sort_by_key(|node| tree.nodes.get(*node).map(|found| found.generation));
    for node in from_above {
        let is = adopted(node)
            || if any.contains(&node) { !genetic.contains(&node) } else { parents_are(tree, relatives, node, &found) == Some(true) };
        found.insert(node, is);
    }
    let node_of: BTreeMap<usize, usize> = tree
        .nodes
        .iter()
        .enumerate()
        .filter_map(|(node, one)| if let Who::Relative(place) = one.who { Some((place, node)) } else { None })
        .collect();
    let told = |(place, told): (usize, &Told)| node_of.get(&place).and_then(|node| found.get(node)).copied().unwrap_or(told.is_adopted);
    relatives.iter().enumerate().map(told).collect()
}

/// Everybody who shares an ancestor with the person: up from them, then down from everybody found.
fn lines(tree: &Tree, passes: &dyn Fn(usize) -> bool) -> BTreeSet<usize> {
    let mut found = BTreeSet::from([OWN]);
    let mut waiting = vec![OWN];
    while let Some(node) = waiting.pop() {
        let parents = tree.nodes.get(node).into_iter().flat_map(|one| [one.father, one.mother]).flatten();
        waiting.extend(parents.filter(|parent| passes(*parent) && found.insert(*parent)));
    }
    waiting.extend(found.iter().copied());
    let children = |parent: usize| {
        let has = move |union: &&super::tree::Union| union.partners.0 == parent || union.partners.1 == Some(parent);
        tree.unions.iter().filter(has).flat_map(|union| union.children.iter().copied())
    };
    while let Some(node) = waiting.pop() {
        let next: Vec<usize> = children(node).filter(|child| passes(*child) && found.insert(*child)).collect();
        waiting.extend(next);
    }
    found
}

/// Of the parents who are relatives of some degree: are all of them related by adoption only? Nothing, where there are none.
fn parents_are(tree: &Tree, relatives: &[Told], node: usize, found: &BTreeMap<usize, bool>) -> Option<bool> {
    let one = tree.nodes.get(node)?;
    let counts = |parent: &usize| match tree.nodes.get(*parent).map(|parent| parent.who) {
        Some(Who::Relative(place)) => relatives.get(place).is_some_and(|told| Degree::of(told.relation).is_some()),
        _ => false,
    };
    let parents: Vec<usize> = [one.father, one.mother].into_iter().flatten().filter(counts).collect();
    (!parents.is_empty()).then(|| parents.iter().all(|parent| found.get(parent) == Some(&true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::tree::{Sex, Side, build, tests::told};

    fn found(relatives: &[Told]) -> Vec<bool> {
        by_adoption(&build(Sex::Female, None, relatives), relatives)
    }

    fn adopted(word: &str) -> Told {
        Told { is_adopted: true, ..told(word) }
    }

    fn child_of(father: usize, word: &str) -> Told {
        Told { father: Some(father), ..told(word) }
    }

    #[test]
    fn children_of_adopted_relatives_share_no_genes() {
        let on_fathers = |one: Told| Told { side: Side::Paternal, ..one };
        for (parent, child) in [
            (adopted("brother"), "nephew"),
            (adopted("son"), "granddaughter"),
            (on_fathers(adopted("uncle")), "cousin"),
            // Of no side: on no line of the tree.
            (adopted("uncle"), "cousin"),
        ] {
            assert_eq!(found(&[parent, child_of(0, child)]), [true, true], "{child}");
            assert_eq!(found(&[Told { is_adopted: false, ..parent }, child_of(0, child)]), [false, false], "{child}");
        }
        let grandchild = [adopted("brother"), child_of(0, "nephew"), child_of(1, "other")];
        assert_eq!(found(&grandchild), [true, true, true]);
    }

    #[test]
    fn the_line_of_the_other_parent_counts() {
        let both = Told { mother: Some(1), ..child_of(0, "nephew") };
        assert_eq!(found(&[adopted("brother"), told("sister"), both]), [true, false, false]);
        assert_eq!(found(&[adopted("father"), told("mother"), told("sister")]), [true, false, false]);
    }

    #[test]
    fn the_family_of_an_adopted_parent_is_not_ones_own_by_blood() {
        let uncle = Told { side: Side::Paternal, ..told("uncle") };
        let half = Told { side: Side::Paternal, ..told("half_sister") };
        let all = [adopted("father"), told("paternal_grandfather"), uncle, half, told("maternal_grandmother")];
        assert_eq!(found(&all), [true, true, true, true, false]);
    }

    #[test]
    fn who_is_on_no_line_is_taken_at_their_word() {
        let wife_of_uncle = [told("uncle"), told("other"), Told { mother: Some(1), ..child_of(0, "cousin") }];
        assert_eq!(found(&wife_of_uncle), [false, false, false]);
        assert_eq!(found(&[told("cousin"), told("half_brother"), told("other"), adopted("other")]), [false, false, false, true]);
    }
}

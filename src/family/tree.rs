//! Who is whose child: from what is told of each relative (how they are related, on which side, who their parents are) to a graph that can be
//! drawn. What nobody told and the drawing needs (the father of two siblings) stands there as an unknown person.
//!
//! A parent is always of the generation above, so that no circle of wrong links can do harm: such links are left out of the drawing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How somebody is related to the person whose history it is; the words are those of the record's column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    Father,
    Mother,
    Brother,
    Sister,
    HalfBrother,
    HalfSister,
    PaternalGrandfather,
    PaternalGrandmother,
    MaternalGrandfather,
    MaternalGrandmother,
    Uncle,
    Aunt,
    Cousin,
    Son,
    Daughter,
    Niece,
    Nephew,
    Grandson,
    Granddaughter,
    Other,
}

impl Relation {
    /// Anything else is "other": an import may have left it out.
    pub fn of(word: &str) -> Self {
        match word {
            "father" => Self::Father,
            "mother" => Self::Mother,
            "brother" => Self::Brother,
            "sister" => Self::Sister,
            "half_brother" => Self::HalfBrother,
            "half_sister" => Self::HalfSister,
            "paternal_grandfather" => Self::PaternalGrandfather,
            "paternal_grandmother" => Self::PaternalGrandmother,
            "maternal_grandfather" => Self::MaternalGrandfather,
            "maternal_grandmother" => Self::MaternalGrandmother,
            "uncle" => Self::Uncle,
            "aunt" => Self::Aunt,
            "cousin" => Self::Cousin,
            "son" => Self::Son,
            "daughter" => Self::Daughter,
            "niece" => Self::Niece,
            "nephew" => Self::Nephew,
            "grandson" => Self::Grandson,
            "granddaughter" => Self::Granddaughter,
            _ => Self::Other,
        }
    }

    /// Rows above (negative) or below the person; whoever is only "other" stands where their links put them.
    fn generation(self) -> Option<i32> {
        match self {
            Self::PaternalGrandfather | Self::PaternalGrandmother | Self::MaternalGrandfather | Self::MaternalGrandmother => Some(-2),
            Self::Father | Self::Mother | Self::Uncle | Self::Aunt => Some(-1),
            Self::Brother | Self::Sister | Self::HalfBrother | Self::HalfSister | Self::Cousin => Some(0),
            Self::Son | Self::Daughter | Self::Niece | Self::Nephew => Some(1),
            Self::Grandson | Self::Granddaughter => Some(2),
            Self::Other => None,
        }
    }

    /// What the word itself says; a gender that was recorded goes first.
    pub fn sex(self) -> Sex {
        match self {
            Self::Father
            | Self::Brother
            | Self::HalfBrother
            | Self::PaternalGrandfather
            | Self::MaternalGrandfather
            | Self::Uncle
            | Self::Son
            | Self::Nephew
            | Self::Grandson => Sex::Male,
            Self::Cousin | Self::Other => Sex::Unknown,
            _ => Sex::Female,
        }
    }
}

/// A square, a circle, or a diamond for what is neither or not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    Male,
    Female,
    Unknown,
}

impl Sex {
    pub fn of(gender: Option<&str>, relation: Option<Relation>) -> Self {
        match gender {
            Some("male") => Self::Male,
            Some("female") => Self::Female,
            Some("other") => Self::Unknown,
            _ => relation.map_or(Self::Unknown, Relation::sex),
        }
    }
}

/// The side of the family; siblings and their children are on both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    Paternal,
    Maternal,
    Both,
    Unknown,
}

impl Side {
    pub fn of(relation: Relation, told: Option<&str>) -> Self {
        match (relation, told) {
            (Relation::Father | Relation::PaternalGrandfather | Relation::PaternalGrandmother, _) | (_, Some("paternal")) => Self::Paternal,
            (Relation::Mother | Relation::MaternalGrandfather | Relation::MaternalGrandmother, _) | (_, Some("maternal")) => Self::Maternal,
            (_, Some("both")) | (Relation::Brother | Relation::Sister | Relation::Niece | Relation::Nephew, _) => Self::Both,
            _ => Self::Unknown,
        }
    }
}

/// What the tree needs to know of a relative. `father` and `mother` are places in the same list.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub relation: Relation,
    pub side: Side,
    pub sex: Sex,
    pub birth_year: Option<i32>,
    pub is_adopted: bool,
    pub father: Option<usize>,
    pub mother: Option<usize>,
}

/// Who a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The person whose history it is.
    Own,
    /// By place in the list of relatives.
    Relative(usize),
    /// Somebody there must have been, of whom nothing is told.
    Nobody,
}

/// One symbol of the drawing.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    pub who: Who,
    pub sex: Sex,
    pub side: Side,
    pub generation: i32,
    pub birth_year: Option<i32>,
    pub is_adopted: bool,
    pub father: Option<usize>,
    pub mother: Option<usize>,
}

/// Two parents, or one of whom no partner is drawn, and their children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Union {
    pub partners: (usize, Option<usize>),
    pub children: Vec<usize>,
}

#[derive(Clone, Debug, Default)]
pub struct Tree {
    pub nodes: Vec<Node>,
    pub unions: Vec<Union>,
    /// Relatives who stand in no row, because nothing says where.
    pub loose: Vec<usize>,
}

/// The person themselves is the first node.
pub const OWN: usize = 0;

pub fn build(own: Sex, own_birth: Option<i32>, relatives: &[Told]) -> Tree {
    let generations = generations(relatives);
    let mut builder =
        Builder { tree: Tree::default(), of_relative: vec![None; relatives.len()], partners: BTreeMap::new(), between: BTreeSet::new() };
    builder.node(Who::Own, own, Side::Unknown, 0, own_birth, false);
    for (place, (told, generation)) in relatives.iter().zip(&generations).enumerate() {
        match generation {
            Some(generation) => {
                let node = builder.node(Who::Relative(place), told.sex, told.side, *generation, told.birth_year, told.is_adopted);
                builder.set_of_relative(place, node);
            }
            None => builder.tree.loose.push(place),
        }
    }
    builder.link(relatives);
    let parents = builder.parents(relatives);
    builder.infer(relatives, &parents);
    builder.pair();
    builder.tree
}

/// The row of each relative: by the word, else by whose parent or child they are.
fn generations(relatives: &[Told]) -> Vec<Option<i32>> {
    let mut found: Vec<Option<i32>> = relatives.iter().map(|told| told.relation.generation()).collect();
    let mut edges: Vec<Vec<(usize, i32)>> = vec![Vec::new(); relatives.len()];
    for (child, told) in relatives.iter().enumerate() {
        for parent in [told.father, told.mother].into_iter().flatten().filter(|parent| *parent < relatives.len() && *parent != child) {
            for (from, to, step) in [(child, parent, -1), (parent, child, 1)] {
                if let Some(list) = edges.get_mut(from) {
                    list.push((to, step));
                }
            }
        }
    }
    let mut waiting: VecDeque<usize> = (0..relatives.len()).filter(|place| found.get(*place).copied().flatten().is_some()).collect();
    while let Some(place) = waiting.pop_front() {
        let Some(row) = found.get(place).copied().flatten() else { continue };
        for (next, step) in edges.get(place).into_iter().flatten() {
            if let Some(unknown @ None) = found.get_mut(*next) {
                *unknown = Some(row + step);
                waiting.push_back(*next);
            }
        }
    }
    found
}

/// The parents of the person, and the grandparents of each side, as far as the drawing needs them.
#[derive(Clone, Copy, Debug, Default)]
struct Parents {
    own: Option<(usize, usize)>,
    paternal: Option<(usize, usize)>,
    maternal: Option<(usize, usize)>,
}

struct Builder {
    tree: Tree,
    of_relative: Vec<Option<usize>>,
    /// The unknown partner of somebody, made once.
    partners: BTreeMap<usize, usize>,
    /// Unknown people who only lead to somebody: nothing is gained by drawing their partners as well.
    between: BTreeSet<usize>,
}

impl Builder {
    fn node(&mut self, who: Who, sex: Sex, side: Side, generation: i32, birth_year: Option<i32>, is_adopted: bool) -> usize {
        self.tree.nodes.push(Node { who, sex, side, generation, birth_year, is_adopted, father: None, mother: None });
        self.tree.nodes.len() - 1
    }

    fn unknown(&mut self, sex: Sex, side: Side, generation: i32) -> usize {
        self.node(Who::Nobody, sex, side, generation, None, false)
    }

    fn set_of_relative(&mut self, place: usize, node: usize) {
        if let Some(slot) = self.of_relative.get_mut(place) {
            *slot = Some(node);
        }
    }

    fn of(&self, place: usize) -> Option<usize> {
        self.of_relative.get(place).copied().flatten()
    }

    fn get(&self, node: usize) -> Option<&Node> {
        self.tree.nodes.get(node)
    }

    /// Sets a parent that is not told yet, if they are of the generation above.
    fn set_parents(&mut self, child: usize, father: Option<usize>, mother: Option<usize>) {
        let above = |parent: usize| self.get(parent).map(|n| n.generation) == self.get(child).map(|n| n.generation - 1);
        let (father, mother) = (father.filter(|p| above(*p)), mother.filter(|p| above(*p)));
        if let Some(node) = self.tree.nodes.get_mut(child) {
            node.father = node.father.or(father);
            node.mother = node.mother.or(mother);
        }
    }

    /// The links people made.
    fn link(&mut self, relatives: &[Told]) {
        for (place, told) in relatives.iter().enumerate() {
            if let Some(child) = self.of(place) {
                let (father, mother) = (told.father.and_then(|p| self.of(p)), told.mother.and_then(|p| self.of(p)));
                self.set_parents(child, father, mother);
            }
        }
    }

    /// The first of this relation, rather one by blood.
    fn first(&self, relatives: &[Told], relation: Relation) -> Option<usize> {
        let mut all = relatives.iter().enumerate().filter(|(_, told)| told.relation == relation);
        let by_blood = all.clone().find(|(_, told)| !told.is_adopted);
        by_blood.or_else(|| all.next()).and_then(|(place, _)| self.of(place))
    }

    fn parents(&mut self, relatives: &[Told]) -> Parents {
        let any = |wanted: &dyn Fn(&Told) -> bool| relatives.iter().any(wanted);
        let of_side =
            |told: &Told, side: Side| told.side == side && matches!(told.relation, Relation::Uncle | Relation::Aunt | Relation::Cousin);
        let on_fathers_side =
            any(&|t| matches!(t.relation, Relation::PaternalGrandfather | Relation::PaternalGrandmother) || of_side(t, Side::Paternal));
        let on_mothers_side =
            any(&|t| matches!(t.relation, Relation::MaternalGrandfather | Relation::MaternalGrandmother) || of_side(t, Side::Maternal));
        let has_near = any(&|t| {
            let half =
                matches!(t.relation, Relation::HalfBrother | Relation::HalfSister) && matches!(t.side, Side::Paternal | Side::Maternal);
            half || matches!(
                t.relation,
                Relation::Father | Relation::Mother | Relation::Brother | Relation::Sister | Relation::Niece | Relation::Nephew
            )
        });
        let own = (has_near || on_fathers_side || on_mothers_side).then(|| {
            let father = self.first(relatives, Relation::Father).unwrap_or_else(|| self.unknown(Sex::Male, Side::Paternal, -1));
            let mother = self.first(relatives, Relation::Mother).unwrap_or_else(|| self.unknown(Sex::Female, Side::Maternal, -1));
            (father, mother)
        });
        let mut grand = |father: Relation, mother: Relation, side: Side| {
            let grandfather = self.first(relatives, father).unwrap_or_else(|| self.unknown(Sex::Male, side, -2));
            let grandmother = self.first(relatives, mother).unwrap_or_else(|| self.unknown(Sex::Female, side, -2));
            (grandfather, grandmother)
        };
        let paternal = on_fathers_side.then(|| grand(Relation::PaternalGrandfather, Relation::PaternalGrandmother, Side::Paternal));
        let maternal = on_mothers_side.then(|| grand(Relation::MaternalGrandfather, Relation::MaternalGrandmother, Side::Maternal));
        Parents { own, paternal, maternal }
    }

    /// What the words say where no link does.
    fn infer(&mut self, relatives: &[Told], parents: &Parents) {
        self.child_of(OWN, parents.own);
        for (place, told) in relatives.iter().enumerate() {
            let Some(node) = self.of(place) else { continue };
            let has_parent = self.get(node).is_some_and(|n| n.father.is_some() || n.mother.is_some());
            match told.relation {
                Relation::Brother | Relation::Sister => self.child_of(node, parents.own),
                Relation::Father if parents.own.is_some_and(|(father, _)| father == node) => self.child_of(node, parents.paternal),
                Relation::Mother if parents.own.is_some_and(|(_, mother)| mother == node) => self.child_of(node, parents.maternal),
                Relation::Uncle | Relation::Aunt if !has_parent => self.child_of(node, parents.of_side(told.side)),
                Relation::HalfBrother | Relation::HalfSister if !has_parent => self.half_sibling(node, told.side, parents),
                Relation::Cousin if !has_parent => self.child_of_unknown(node, parents.of_side(told.side), told.side),
                Relation::Niece | Relation::Nephew if !has_parent => self.child_of_unknown(node, parents.own, Side::Both),
                Relation::Son | Relation::Daughter => self.own_child(node),
                Relation::Grandson | Relation::Granddaughter if !has_parent => {
                    let between = self.unknown(Sex::Unknown, Side::Unknown, 1);
                    self.between.insert(between);
                    self.own_child(between);
                    self.set_parents(node, Some(between), None);
                }
                _ => {}
            }
        }
    }

    fn child_of(&mut self, child: usize, parents: Option<(usize, usize)>) {
        if let Some((father, mother)) = parents {
            self.set_parents(child, Some(father), Some(mother));
        }
    }

    /// One parent is shared; of the other nothing is known.
    fn half_sibling(&mut self, node: usize, side: Side, parents: &Parents) {
        match (side, parents.own) {
            (Side::Paternal, Some((father, _))) => self.set_parents(node, Some(father), None),
            (Side::Maternal, Some((_, mother))) => self.set_parents(node, None, Some(mother)),
            _ => {}
        }
    }

    /// Through somebody who is not told: a cousin's parent, a niece's.
    fn child_of_unknown(&mut self, node: usize, grandparents: Option<(usize, usize)>, side: Side) {
        let Some(generation) = self.get(node).map(|n| n.generation - 1).filter(|_| grandparents.is_some()) else { return };
        let between = self.unknown(Sex::Unknown, side, generation);
        self.between.insert(between);
        self.child_of(between, grandparents);
        self.set_parents(node, Some(between), None);
    }

    /// The person is one parent; the other is whom a link names, or unknown.
    fn own_child(&mut self, node: usize) {
        let Some((father, mother)) = self.get(node).map(|n| (n.father, n.mother)) else { return };
        let is_mother = self.get(OWN).is_some_and(|own| own.sex == Sex::Female);
        match (father, mother) {
            (Some(_), None) => self.set_parents(node, None, Some(OWN)),
            (None, None) if is_mother => self.set_parents(node, None, Some(OWN)),
            (None, _) => self.set_parents(node, Some(OWN), None),
            (Some(_), Some(_)) => {}
        }
    }

    /// Gives children of one known parent an unknown second one, and gathers the children of the same two.
    fn pair(&mut self) {
        for child in 0..self.tree.nodes.len() {
            let Some((father, mother)) = self.get(child).map(|n| (n.father, n.mother)) else { continue };
            let (one, is_father) = match (father, mother) {
                (Some(father), None) => (father, true),
                (None, Some(mother)) => (mother, false),
                _ => continue,
            };
            let Some(parent) = self.get(one).copied() else { continue };
            if self.between.contains(&one) {
                continue;
            }
            let partner = if let Some(known) = self.partners.get(&one) {
                *known
            } else {
                let sex = if is_father { Sex::Female } else { Sex::Male };
                let made = self.unknown(sex, parent.side, parent.generation);
                self.partners.insert(one, made);
                made
            };
            if is_father { self.set_parents(child, None, Some(partner)) } else { self.set_parents(child, Some(partner), None) }
        }
        let mut places: BTreeMap<(usize, Option<usize>), usize> = BTreeMap::new();
        for (child, node) in self.tree.nodes.iter().enumerate() {
            let partners = match (node.father, node.mother) {
                (Some(father), mother) => (father, mother),
                (None, Some(mother)) => (mother, None),
                (None, None) => continue,
            };
            let place = *places.entry(partners).or_insert(self.tree.unions.len());
            match self.tree.unions.get_mut(place) {
                Some(union) => union.children.push(child),
                None => self.tree.unions.push(Union { partners, children: vec![child] }),
            }
        }
    }
}

impl Parents {
    fn of_side(&self, side: Side) -> Option<(usize, usize)> {
        match side {
            Side::Paternal => self.paternal,
            Side::Maternal => self.maternal,
            Side::Both | Side::Unknown => None,
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn told(relation: &str) -> Told {
        let relation = Relation::of(relation);
        Told {
            relation,
            side: Side::of(relation, None),
            sex: Sex::of(None, Some(relation)),
            birth_year: None,
            is_adopted: false,
            father: None,
            mother: None,
        }
    }

    fn on(relation: &str, side: &str) -> Told {
        Told { side: Side::of(Relation::of(relation), Some(side)), ..told(relation) }
    }

    fn parents_of(tree: &Tree, place: usize) -> (Option<Who>, Option<Who>) {
        let node = tree.nodes.iter().find(|n| n.who == Who::Relative(place)).unwrap();
        let who = |p: Option<usize>| p.map(|p| tree.nodes[p].who);
        (who(node.father), who(node.mother))
    }

    #[test]
    fn siblings_have_both_parents_and_half_siblings_one() {
        let tree =
            build(Sex::Female, None, &[told("father"), told("sister"), on("half_brother", "paternal"), on("half_sister", "maternal")]);
        assert_eq!(parents_of(&tree, 1), (Some(Who::Relative(0)), Some(Who::Nobody)));
        assert_eq!(parents_of(&tree, 2).0, Some(Who::Relative(0)));
        assert_eq!(parents_of(&tree, 3).0, Some(Who::Nobody));
        let (own, half) = (tree.nodes[OWN], tree.nodes[3]);
        assert_eq!(own.father, half.father);
        assert_ne!(own.mother, half.mother);
        assert_eq!(tree.unions.len(), 3);
    }

    #[test]
    fn nobody_invents_the_side_of_a_half_sibling_or_a_cousin() {
        let tree = build(Sex::Male, None, &[told("half_sister"), told("cousin"), told("mother")]);
        assert_eq!(parents_of(&tree, 0), (None, None));
        assert_eq!(parents_of(&tree, 1), (None, None));
    }

    #[test]
    fn a_link_goes_before_the_word() {
        let with = Told { father: Some(1), ..on("cousin", "maternal") };
        let tree = build(Sex::Male, None, &[with, on("uncle", "maternal")]);
        assert_eq!(parents_of(&tree, 0).0, Some(Who::Relative(1)));
        // The person, both parents, both grandparents, the uncle, the cousin, the cousin's other parent.
        assert_eq!(tree.nodes.len(), 8);
    }

    #[test]
    fn others_stand_where_their_links_put_them() {
        let son = Told { mother: Some(1), ..told("son") };
        let grandfather = Told { father: Some(3), ..told("paternal_grandfather") };
        let tree = build(Sex::Male, None, &[son, told("other"), grandfather, told("other"), told("other")]);
        assert_eq!(parents_of(&tree, 0), (Some(Who::Own), Some(Who::Relative(1))));
        let row = |place: usize| tree.nodes.iter().find(|n| n.who == Who::Relative(place)).map(|n| n.generation);
        assert_eq!((row(1), row(3), row(4)), (Some(0), Some(-3), None));
        assert_eq!(tree.loose, [4]);
    }

    #[test]
    fn a_circle_of_parents_is_left_out() {
        let circle = [Told { father: Some(1), ..told("other") }, Told { father: Some(0), ..told("other") }];
        assert_eq!(build(Sex::Male, None, &circle).loose, [0, 1]);
        let own_father = [Told { father: Some(0), ..told("brother") }, Told { mother: Some(0), ..told("father") }];
        let tree = build(Sex::Male, None, &own_father);
        assert!(tree.nodes.iter().enumerate().all(|(i, n)| n.father != Some(i) && n.mother != Some(i)));
    }
}

//! What runs in the family, counted: how many relatives of each degree have a condition, of how many that are known, and how early.
//!
//! Degrees as the NCI Dictionary of Genetics Terms defines them: parents, siblings and children are of the first; grandparents, grandchildren,
//! aunts, uncles, nieces, nephews and half-siblings of the second; first cousins of the third
//! (<https://www.cancer.gov/publications/dictionaries/genetics-dictionary/def/first-degree-relative>, beside it `second-degree-relative` and
//! `third-degree-relative`). Relatives by adoption, and through one, share no genes: they are told apart and counted in no degree.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{Relation, Side};
use crate::text::fold;

/// How near somebody is by blood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Degree {
    First,
    Second,
    Third,
}

impl Degree {
    pub const ALL: [Self; 3] = [Self::First, Self::Second, Self::Third];

    pub fn of(relation: Relation) -> Option<Self> {
        use Relation as R;
        match relation {
            R::Father | R::Mother | R::Brother | R::Sister | R::Son | R::Daughter => Some(Self::First),
            R::PaternalGrandfather
            | R::PaternalGrandmother
            | R::MaternalGrandfather
            | R::MaternalGrandmother
            | R::HalfBrother
            | R::HalfSister
            | R::Uncle
            | R::Aunt
            | R::Niece
            | R::Nephew
            | R::Grandson
            | R::Granddaughter => Some(Self::Second),
            R::Cousin => Some(Self::Third),
            R::Other => None,
        }
    }
}

/// A condition somebody had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Had {
    pub name: String,
    pub code: Option<String>,
    /// A word of the condition's type.
    pub sort: Option<String>,
    pub age: Option<i32>,
}

/// What of a relative is counted.
#[derive(Clone, Debug)]
pub struct Counted<'a> {
    pub relation: Relation,
    pub side: Side,
    pub by_adoption: bool,
    pub had: &'a [Had],
}

/// A condition as it is called once, however often it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Stands in addresses.
    pub key: String,
    pub name: String,
    /// There is no name, only a word of the type.
    pub is_sort: bool,
}

/// Which group each condition belongs to, and the groups, the most frequent first.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    pub all: Vec<Group>,
    by_name: BTreeMap<String, String>,
}

/// The three characters of an ICD-10 category: `C18` for `C18.7`, because a family tells "colon cancer" and not which part.
fn category(code: Option<&str>) -> Option<String> {
    let plain: String = code?.chars().filter(char::is_ascii_alphanumeric).take(3).collect();
    let is_code = plain.len() == 3 && plain.starts_with(|c: char| c.is_ascii_alphabetic()) && plain.chars().nth(1)?.is_ascii_digit();
    is_code.then(|| plain.to_ascii_lowercase())
}

impl Groups {
    /// By code where one is told, or where others of the same name have one; else by name; else by type.
    pub fn of<'a>(people: impl Iterator<Item = &'a [Had]> + Clone) -> Self {
        let mut by_name: BTreeMap<String, String> = BTreeMap::new();
        for had in people.clone().flatten() {
            if let Some(code) = category(had.code.as_deref())
                && !had.name.trim().is_empty()
            {
                by_name.entry(fold(&had.name)).or_insert(code);
            }
        }
        let mut groups = Self { all: Vec::new(), by_name };
        let mut names: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for had in people {
            let keys: BTreeSet<String> = had.iter().filter_map(|had| groups.key(had)).collect();
            for key in keys {
                *counts.entry(key).or_default() += 1;
            }
            for (key, name) in had.iter().filter_map(|had| Some((groups.key(had)?, had.name.trim()))) {
                *names.entry(key).or_default().entry(name.to_owned()).or_default() += 1;
            }
        }
        let mut keys: Vec<(&String, &usize)> = counts.iter().collect();
        keys.sort_by_key(|(key, count)| (std::cmp::Reverse(**count), (*key).clone()));
        let group = |key: &str| {
            let usual = names
                .get(key)
                .and_then(|names| names.iter().filter(|(n, _)| !n.is_empty()).max_by_key(|(n, c)| (**c, std::cmp::Reverse(n.len()))));
            let sort = key.strip_prefix("type-").map(str::to_owned);
            Group { key: key.to_owned(), is_sort: usual.is_none(), name: usual.map(|(name, _)| name.clone()).or(sort).unwrap_or_default() }
        };
        groups.all = keys.into_iter().map(|(key, _)| group(key)).collect();
        groups
    }

    /// The group a condition belongs to; nothing is told of one without code, name and type.
    pub fn key(&self, had: &Had) -> Option<String> {
        let name = fold(&had.name);
        let code = category(had.code.as_deref()).or_else(|| self.by_name.get(&name).cloned());
        code.or_else(|| (!name.trim().is_empty()).then_some(name)).or_else(|| had.sort.as_ref().map(|sort| format!("type-{sort}")))
    }
}

/// One condition among the relatives of one degree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub degree: Degree,
    pub affected: usize,
    pub known: usize,
    pub youngest: Option<i32>,
    pub paternal: usize,
    pub maternal: usize,
}

/// One condition in the whole family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Risk {
    pub group: Group,
    pub lines: Vec<Line>,
    /// Relatives who have it and share no genes.
    pub adopted: usize,
    /// Relatives who have it and of whom no degree is known.
    pub other: usize,
}

/// Every condition of the relatives: the nearest and most frequent first.
pub fn summary(groups: &Groups, relatives: &[Counted<'_>]) -> Vec<Risk> {
    let mut all: Vec<Risk> = groups.all.iter().map(|group| risk(groups, group, relatives)).filter(Risk::is_told).collect();
    let weight = |risk: &Risk, degree: Degree| risk.lines.iter().find(|l| l.degree == degree).map_or(0, |l| l.affected);
    all.sort_by_key(|risk| std::cmp::Reverse(Degree::ALL.map(|degree| weight(risk, degree))));
    all
}

impl Risk {
    fn is_told(&self) -> bool {
        !self.lines.is_empty() || self.adopted > 0 || self.other > 0
    }
}

fn risk(groups: &Groups, group: &Group, relatives: &[Counted<'_>]) -> Risk {
    let ages = |one: &Counted<'_>| -> Option<Vec<i32>> {
        let mine: Vec<&Had> = one.had.iter().filter(|had| groups.key(had).as_ref() == Some(&group.key)).collect();
        (!mine.is_empty()).then(|| mine.iter().filter_map(|had| had.age).collect())
    };
    let line = |degree: Degree| {
        let known = relatives.iter().filter(|one| !one.by_adoption && Degree::of(one.relation) == Some(degree));
        let affected: Vec<(&Counted<'_>, Vec<i32>)> = known.clone().filter_map(|one| Some((one, ages(one)?))).collect();
        let of_side = |side: Side| affected.iter().filter(|(one, _)| one.side == side).count();
        (!affected.is_empty()).then(|| Line {
            degree,
            affected: affected.len(),
            known: known.count(),
            youngest: affected.iter().flat_map(|(_, ages)| ages).copied().min(),
            paternal: of_side(Side::Paternal),
            maternal: of_side(Side::Maternal),
        })
    };
    let has_it = |wanted: &dyn Fn(&Counted<'_>) -> bool| relatives.iter().filter(|one| wanted(one) && ages(one).is_some()).count();
    Risk {
        group: group.clone(),
        lines: Degree::ALL.into_iter().filter_map(line).collect(),
        adopted: has_it(&|one| one.by_adoption),
        other: has_it(&|one| !one.by_adoption && Degree::of(one.relation).is_none()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn had(name: &str, code: &str, age: Option<i32>) -> Vec<Had> {
        vec![Had { name: name.into(), code: (!code.is_empty()).then(|| code.to_owned()), sort: Some("cancer".into()), age }]
    }

    fn family(list: &[(&str, &str, bool, Vec<Had>)]) -> Vec<Risk> {
        let groups = Groups::of(list.iter().map(|(.., had)| had.as_slice()));
        let counted: Vec<Counted<'_>> = list
            .iter()
            .map(|(word, side, by_adoption, had)| {
                let relation = Relation::of(word);
                Counted {
                    relation,
                    side: Side::of(relation, Some(side).filter(|s| !s.is_empty()).copied()),
                    by_adoption: *by_adoption,
                    had,
                }
            })
            .collect();
        summary(&groups, &counted)
    }

    #[test]
    fn two_of_four_first_degree_relatives() {
        let all = family(&[
            ("father", "", false, had("Colorectal cancer", "C18.7", Some(61))),
            ("mother", "", false, vec![]),
            ("sister", "", false, had("Bowel cancer", "C18", Some(44))),
            ("brother", "", false, vec![]),
            ("aunt", "maternal", false, had("colorectal CANCER", "", None)),
        ]);
        assert_eq!(all.len(), 1);
        let first = &all[0].lines[0];
        assert_eq!((first.affected, first.known, first.youngest, first.paternal), (2, 4, Some(44), 1));
        let second = &all[0].lines[1];
        assert_eq!((second.degree, second.affected, second.known, second.youngest, second.maternal), (Degree::Second, 1, 1, None, 1));
        assert_eq!(all[0].group.key, "c18");
    }

    #[test]
    fn adopted_relatives_are_told_apart() {
        let all = family(&[("father", "", true, had("Stroke", "", Some(50))), ("mother", "", false, vec![])]);
        assert_eq!((all[0].adopted, all[0].lines.len()), (1, 0));
    }

    #[test]
    fn half_siblings_are_of_the_second_degree_and_cousins_of_the_third() {
        let degree = |word: &str| Degree::of(Relation::of(word));
        assert_eq!(degree("half_brother"), Some(Degree::Second));
        assert_eq!(degree("granddaughter"), Some(Degree::Second));
        assert_eq!(degree("cousin"), Some(Degree::Third));
        assert_eq!(degree("other"), None);
    }

    #[test]
    fn the_type_stands_in_where_no_name_does() {
        let nameless = vec![Had { sort: Some("cancer".into()), ..Had::default() }, Had::default()];
        let all = family(&[("mother", "", false, nameless)]);
        assert_eq!((all.len(), all[0].group.is_sort, all[0].group.name.as_str()), (1, true, "cancer"));
    }

    #[test]
    fn one_person_counts_once_however_often_it_is_written() {
        let mut twice = had("Asthma", "", Some(30));
        twice.extend(had("asthma", "", Some(12)));
        let all = family(&[("mother", "", false, twice)]);
        assert_eq!((all[0].lines[0].affected, all[0].lines[0].youngest), (1, Some(12)));
    }

    #[test]
    fn the_nearest_come_first() {
        let all = family(&[
            ("cousin", "", false, had("Aaa", "", None)),
            ("mother", "", false, had("Zzz", "", None)),
            ("uncle", "paternal", false, had("Bbb", "", None)),
        ]);
        assert_eq!(all.iter().map(|r| r.group.name.as_str()).collect::<Vec<_>>(), ["Zzz", "Bbb", "Aaa"]);
    }
}

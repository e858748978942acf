//! Which part of a patient's records a share or a link opens.

use std::collections::BTreeSet;

/// Which records of a patient: `None` means all. The four narrow each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Scope {
    /// URL names of kinds.
    pub kinds: Option<Vec<String>>,
    /// Ids of tags; one of them is enough.
    pub tags: Option<Vec<String>>,
    /// Sensitivities left out.
    pub without: Vec<String>,
    /// Ids of records: these and no others. Never stored with a share or a link; what is shown record by record has rows of its own.
    pub only: Option<Vec<String>>,
}

/// A scope as the three columns of a share or a link.
pub type Columns = (Option<String>, Option<String>, Option<String>);

impl Scope {
    pub fn allows_kind(&self, kind: &str) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|k| k == kind))
    }

    /// Everything, nothing left out: such an access may also read what belongs to no kind (leftovers of an import, the trash of all kinds).
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// Of the kinds it opens, every record.
    pub fn has_all_of_its_kinds(&self) -> bool {
        self.tags.is_none() && self.without.is_empty()
    }

    /// What both open. Of tags, a record that has one of each list but none that is in both stays closed: rather less than more.
    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        let without: BTreeSet<&String> = self.without.iter().chain(&other.without).collect();
        Self {
            kinds: both(self.kinds.as_ref(), other.kinds.as_ref()),
            tags: both(self.tags.as_ref(), other.tags.as_ref()),
            without: without.into_iter().cloned().collect(),
            only: both(self.only.as_ref(), other.only.as_ref()),
        }
    }

    /// Does this open nothing that `other` keeps closed? Who has a part can give on that part.
    pub fn is_within(&self, other: &Self) -> bool {
        let narrower = |mine: &Option<Vec<String>>, theirs: &Option<Vec<String>>| match (mine, theirs) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(mine), Some(theirs)) => mine.iter().all(|word| theirs.contains(word)),
        };
        narrower(&self.kinds, &other.kinds)
            && narrower(&self.tags, &other.tags)
            && narrower(&self.only, &other.only)
            && other.without.iter().all(|word| self.without.contains(word))
    }

    pub fn to_columns(&self) -> Columns {
        let text = |list: &Vec<String>| serde_json::Value::from(list.clone()).to_string();
        let without = (!self.without.is_empty()).then(|| text(&self.without));
        (self.kinds.as_ref().map(text), self.tags.as_ref().map(text), without)
    }

    /// `None` for a list that cannot be read: it must not open everything.
    pub fn of_columns((kinds, tags, without): Columns) -> Option<Self> {
        Some(Self { kinds: list(kinds)?, tags: list(tags)?, without: list(without)?.unwrap_or_default(), only: None })
    }
}

#[expect(clippy::option_option, reason = "unreadable, absent, and a list are three things")]
fn list(json: Option<String>) -> Option<Option<Vec<String>>> {
    json.map(|text| serde_json::from_str(&text).ok()).map_or(Some(None), |list| list.map(Some))
}

fn both(a: Option<&Vec<String>>, b: Option<&Vec<String>>) -> Option<Vec<String>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.iter().filter(|word| b.contains(word)).cloned().collect()),
        (one, None) | (None, one) => one.cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Scope;

    fn scope(kinds: Option<&[&str]>, tags: Option<&[&str]>, without: &[&str]) -> Scope {
        let list = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        Scope { kinds: kinds.map(list), tags: tags.map(list), without: list(without), only: None }
    }

    #[test]
    fn two_scopes_open_what_both_open() {
        let all = Scope::default();
        let some = scope(Some(&["allergies", "vitals"]), None, &["violence"]);
        assert_eq!(all.within(&some), some);
        let other = scope(Some(&["vitals", "symptoms"]), Some(&["t1"]), &["mental_health"]);
        assert_eq!(some.within(&other), scope(Some(&["vitals"]), Some(&["t1"]), &["mental_health", "violence"]));
        let disjoint = scope(Some(&["symptoms"]), None, &[]).within(&some);
        assert!(!disjoint.allows_kind("symptoms") && !disjoint.allows_kind("vitals") && !disjoint.is_whole());
    }

    #[test]
    fn nobody_gives_on_more_than_they_have() {
        let own = scope(Some(&["allergies", "vitals"]), Some(&["t1"]), &["violence"]);
        assert!(own.is_within(&own) && own.is_within(&Scope::default()));
        assert!(!Scope::default().is_within(&own));
        for (narrower, wider) in [
            (scope(Some(&["vitals"]), Some(&["t1"]), &["violence"]), true),
            (scope(Some(&["vitals", "symptoms"]), Some(&["t1"]), &["violence"]), false),
            (scope(Some(&["vitals"]), None, &["violence"]), false),
            (scope(Some(&["vitals"]), Some(&["t1"]), &[]), false),
        ] {
            assert_eq!(narrower.is_within(&own), wider, "{narrower:?}");
        }
    }

    #[test]
    fn single_records_narrow_like_kinds_do() {
        let only = |ids: &[&str]| Scope { only: Some(ids.iter().map(ToString::to_string).collect()), ..Scope::default() };
        assert_eq!(only(&["a", "b"]).within(&only(&["b", "c"])), only(&["b"]));
        assert_eq!(only(&["a"]).within(&Scope::default()), only(&["a"]));
        assert!(only(&["a"]).is_within(&only(&["a", "b"])) && !only(&["a", "b"]).is_within(&only(&["a"])));
        assert!(!Scope::default().is_within(&only(&["a"])) && !only(&[]).is_whole());
    }

    #[test]
    fn columns_come_back_and_an_unreadable_list_opens_nothing() {
        for scope in [Scope::default(), scope(Some(&["vitals"]), Some(&[]), &["violence"])] {
            assert_eq!(Scope::of_columns(scope.to_columns()), Some(scope));
        }
        for broken in ["", "vitals", "{}", "[1]"] {
            assert_eq!(Scope::of_columns((Some(broken.to_owned()), None, None)), None, "{broken}");
            assert_eq!(Scope::of_columns((None, None, Some(broken.to_owned()))), None, "{broken}");
        }
    }
}

//! Which part of the records a share or a link opens, as a form asks for it: ready sets for what people mean, and every kind, tag and
//! sensitivity for who wants it exactly.
//!
//! The form's names are `set`, and `kinds`, `tags` and `without`, each as often as there are values. A set other than [`CHOSEN`] brings its
//! kinds with it: kinds ticked beside it are an error and not a guess, because one of the two readings opens more than was meant.

use crate::{
    access::Scope,
    page::Ui,
    records::{
        self,
        field::{Errors, FieldError},
        view::{Choice, SENSITIVITIES},
    },
    tags::Tag,
};

/// A part that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set {
    pub word: &'static str,
    /// Empty means every kind.
    kinds: &'static [&'static str],
    /// Every sensitive record is left out.
    private_left_out: bool,
}

const fn of_kinds(word: &'static str, kinds: &'static [&'static str]) -> Set {
    Set { word, kinds, private_left_out: false }
}

/// In the order in which a form offers them; the first is preset.
pub const SETS: &[Set] = &[
    of_kinds("everything", &[]),
    Set { word: "not_private", kinds: &[], private_left_out: true },
    of_kinds("emergency", &["allergies", "medications", "conditions", "immunizations", "emergency-contacts", "insurance"]),
    of_kinds("school", &["allergies", "medications", "immunizations", "emergency-contacts"]),
    of_kinds("medications", &["medications"]),
];

/// The set that is what was ticked.
pub const CHOSEN: &str = "chosen";

impl Set {
    pub fn find(word: &str) -> Option<&'static Self> {
        SETS.iter().find(|set| set.word == word)
    }

    pub fn scope(&self) -> Scope {
        let kinds = (!self.kinds.is_empty()).then(|| owned(self.kinds));
        Scope { kinds, without: if self.private_left_out { owned(private()) } else { Vec::new() }, ..Scope::default() }
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What can be left out: every sensitivity but the normal one, which is most of a record.
fn private() -> &'static [&'static str] {
    SENSITIVITIES.split_first().map_or(&[], |(_, private)| private)
}

/// The scope a form asks for. `tags` are those this person can choose from, `own` is what they have: nobody gives on more than that.
pub fn read(pairs: &[(String, String)], tags: &[Tag], own: &Scope) -> Result<Scope, Errors> {
    let mut errors = Errors::new();
    let mut refuse = |name: &str, error| errors.push((name.to_owned(), error));
    let [kinds, wanted_tags, without] = ["kinds", "tags", "without"].map(|name| all(pairs, name));
    if kinds.iter().any(|kind| records::kind(kind).is_none_or(|kind| !own.allows_kind(kind.name))) {
        refuse("kinds", FieldError::UnknownChoice);
    }
    if wanted_tags.iter().any(|wanted| !tags.iter().any(|tag| tag.id.as_str() == wanted)) {
        refuse("tags", FieldError::UnknownChoice);
    }
    if without.iter().any(|word| !private().contains(&word.as_str())) {
        refuse("without", FieldError::UnknownChoice);
    }
    let set = first(pairs, "set");
    let mut scope = match (set, Set::find(set)) {
        (CHOSEN, _) => {
            if kinds.is_empty() {
                refuse("kinds", FieldError::Rule("error.no_kind_chosen"));
            }
            Scope { kinds: Some(kinds), ..Scope::default() }
        }
        (_, Some(set)) => {
            if !kinds.is_empty() {
                refuse("set", FieldError::Rule("error.set_and_kinds"));
            }
            set.scope()
        }
        _ => {
            refuse("set", FieldError::UnknownChoice);
            Scope::default()
        }
    };
    scope.tags = (!wanted_tags.is_empty()).then_some(wanted_tags);
    for word in without {
        if !scope.without.contains(&word) {
            scope.without.push(word);
        }
    }
    if errors.is_empty() && !scope.is_within(own) {
        errors.push(("set".to_owned(), FieldError::Rule("error.wider_than_own")));
    }
    if errors.is_empty() { Ok(scope) } else { Err(errors) }
}

fn first<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.trim())
}

/// Every value of that name, once.
fn all(pairs: &[(String, String)], name: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (_, value) in pairs.iter().filter(|(n, value)| n == name && !value.trim().is_empty()) {
        if !found.iter().any(|known| known == value.trim()) {
            found.push(value.trim().to_owned());
        }
    }
    found
}

fn offer(ui: &Ui, word: &str) -> Choice {
    Choice { value: word.to_owned(), label: ui.choice("ScopeSet", word), selected: false }
}

/// What is in a set, where its name does not say it.
fn about(ui: &Ui, set: &Set) -> String {
    if set.private_left_out {
        return ui.t1("scope.without", "what", private().iter().map(|word| ui.choice("Sensitivity", word)).collect::<Vec<_>>().join(", "));
    }
    let kinds = set.kinds.iter().filter(|_| set.kinds.len() > 1).filter_map(|name| records::kind(name));
    kinds.map(|kind| ui.kind(kind).to_lowercase()).collect::<Vec<_>>().join(", ")
}

/// What a form offers, with what is chosen.
#[derive(Clone, Debug)]
pub struct Choices {
    /// Each with what is in it.
    pub sets: Vec<(Choice, String)>,
    pub kinds: Vec<Choice>,
    pub tags: Vec<Choice>,
    pub without: Vec<Choice>,
    /// Something of it was ticked: the part of the form that holds it is open.
    pub exact: bool,
}

impl Choices {
    /// Filled with what was sent, or preset where nothing was. Only what this person can give on is offered.
    pub fn new(ui: &Ui, tags: &[Tag], own: &Scope, pairs: &[(String, String)]) -> Self {
        let [kinds, wanted_tags, without] = ["kinds", "tags", "without"].map(|name| all(pairs, name));
        let mut sets: Vec<(Choice, String)> =
            SETS.iter().filter(|set| set.scope().is_within(own)).map(|set| (offer(ui, set.word), about(ui, set))).collect();
        sets.push((offer(ui, CHOSEN), String::new()));
        let typed = first(pairs, "set");
        let place = sets.iter().position(|(choice, _)| choice.value == typed).unwrap_or_default();
        if let Some((choice, _)) = sets.get_mut(place) {
            choice.selected = true;
        }
        let tick = |value: &str, label: String, chosen: &[String], must: &[String]| Choice {
            selected: chosen.iter().chain(must).any(|word| word == value),
            value: value.to_owned(),
            label,
        };
        // Who has a part only begins with what that part leaves out, so that what they send can be given on.
        let (own_tags, own_without) =
            if pairs.is_empty() { (own.tags.clone().unwrap_or_default(), own.without.clone()) } else { Default::default() };
        let offered = |tag: &&Tag| own.tags.as_ref().is_none_or(|own| own.iter().any(|id| id == tag.id.as_str()));
        Self {
            kinds: records::kinds()
                .iter()
                .filter(|kind| own.allows_kind(kind.name))
                .map(|kind| tick(kind.name, ui.kind(kind), &kinds, &[]))
                .collect(),
            tags: tags.iter().filter(offered).map(|tag| tick(tag.id.as_str(), tag.name.clone(), &wanted_tags, &own_tags)).collect(),
            without: private().iter().map(|word| tick(word, ui.choice("Sensitivity", word), &without, &own_without)).collect(),
            exact: !(kinds.is_empty() && wanted_tags.is_empty() && without.is_empty() && own.is_whole()),
            sets,
        }
    }
}

/// A scope in words: `Emergency: allergies, medications, …`, `Everything but mental health`.
pub fn words(ui: &Ui, scope: &Scope, tags: &[Tag]) -> String {
    let kinds_and = |set: &&Set| {
        let of = set.scope();
        of.kinds == scope.kinds && of.without.iter().all(|word| scope.without.contains(word))
    };
    // The set that says most of it.
    let set = SETS.iter().filter(kinds_and).max_by_key(|set| set.scope().without.len());
    let mut parts = vec![match (set, &scope.kinds) {
        (Some(set), _) => ui.choice("ScopeSet", set.word),
        (None, Some(kinds)) => {
            let names = kinds.iter().filter_map(|name| records::kind(name)).map(|kind| ui.kind(kind).to_lowercase());
            ui.t1("scope.only", "kinds", names.collect::<Vec<_>>().join(", "))
        }
        (None, None) => ui.choice("ScopeSet", "everything"),
    }];
    if let Some(wanted) = &scope.tags {
        let mut names: Vec<String> =
            wanted.iter().filter_map(|id| tags.iter().find(|tag| tag.id.as_str() == id)).map(|tag| tag.name.clone()).collect();
        if names.len() < wanted.len() {
            names.push(ui.t("scope.hidden_tag"));
        }
        parts.push(ui.t1("scope.tagged", "tags", names.join(", ")));
    }
    let said = set.map(|set| set.scope().without).unwrap_or_default();
    let more: Vec<String> = scope.without.iter().filter(|word| !said.contains(word)).map(|word| ui.choice("Sensitivity", word)).collect();
    if !more.is_empty() {
        parts.push(ui.t1("scope.without", "what", more.join(", ")));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::types::TagId;

    fn pairs(text: &str) -> Vec<(String, String)> {
        serde_urlencoded::from_str(text).unwrap()
    }
    fn tag(id: &str) -> Tag {
        Tag { id: TagId::parse(id).unwrap(), name: id.to_uppercase(), color: "slate".into() }
    }
    fn refused(text: &str, own: &Scope) -> Vec<String> {
        read(&pairs(text), &[tag("t1")], own).unwrap_err().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn every_set_is_of_kinds_that_exist() {
        for set in SETS {
            assert!(set.kinds.iter().all(|kind| records::kind(kind).is_some()), "{}", set.word);
            assert_eq!(read(&pairs(&format!("set={}", set.word)), &[], &Scope::default()).unwrap(), set.scope());
        }
        assert_eq!(private(), ["mental_health", "sexual_health", "substance_use", "violence"]);
    }

    #[test]
    fn a_form_says_exactly_what_it_opens() {
        let all = Scope::default();
        let told =
            read(&pairs("set=chosen&kinds=vitals&kinds=allergies&kinds=vitals&tags=t1&without=violence"), &[tag("t1")], &all).unwrap();
        assert_eq!(told.kinds.unwrap(), ["vitals", "allergies"]);
        assert_eq!((told.tags.unwrap(), told.without), (vec!["t1".to_owned()], vec!["violence".to_owned()]));
        assert_eq!(refused("", &all), ["set"]);
        assert_eq!(refused("set=all", &all), ["set"]);
        assert_eq!(refused("set=chosen", &all), ["kinds"]);
        assert_eq!(refused("set=everything&kinds=vitals", &all), ["set"], "neither reading is guessed");
        assert_eq!(refused("set=chosen&kinds=patients", &all), ["kinds"]);
        assert_eq!(refused("set=everything&tags=t2", &all), ["tags"], "a tag of another household");
        assert_eq!(refused("set=everything&without=normal", &all), ["without"]);
    }

    #[test]
    fn nobody_gives_on_more_than_they_have() {
        let own = Scope { kinds: Some(owned(&["allergies", "medications"])), without: owned(&["violence"]), ..Scope::default() };
        assert_eq!(refused("set=everything", &own), ["set"]);
        assert_eq!(refused("set=medications", &own), ["set"], "violence is not theirs to show");
        assert_eq!(refused("set=chosen&kinds=vitals&without=violence", &own), ["kinds"]);
        assert!(read(&pairs("set=medications&without=violence"), &[], &own).is_ok());
        let offered = Choices::new(&Ui::new(None, ""), &[], &own, &[]);
        assert_eq!(offered.kinds.len(), 2);
        assert!(offered.exact && offered.without.iter().any(|choice| choice.selected && choice.value == "violence"));
        assert_eq!(offered.sets.len(), 1, "only what they can give on");
    }

    #[test]
    fn a_scope_has_words() {
        let ui = Ui::new(None, "");
        let of = |text: &str| words(&ui, &read(&pairs(text), &[tag("t1")], &Scope::default()).unwrap(), &[tag("t1")]);
        assert_eq!(of("set=everything"), ui.choice("ScopeSet", "everything"));
        assert_eq!(of("set=not_private"), ui.choice("ScopeSet", "not_private"));
        assert_eq!(of("set=chosen&kinds=vitals&tags=t1&without=violence"), "Only vitals; tagged T1; without violence");
        let hidden = Scope { tags: Some(owned(&["t9"])), ..Scope::default() };
        assert!(words(&ui, &hidden, &[tag("t1")]).ends_with("tagged one that you can’t see"), "a part is never told as the whole");
    }
}
